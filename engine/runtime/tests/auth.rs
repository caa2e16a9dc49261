//! Requests as they arrive at a real server on a loopback port: signed for AWS, or with a token that Google was asked for.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use serde_json::{Value, json};
use thalweg::auth::{Account, Error, Kind, Signer, Use};
use thalweg::http::{Client, Options, Proxy, Request, Secret};
use thalweg_replay::{Exchange, Options as Play, Recording, Server, builtin};

fn client() -> Client {
    Client::new(Options { proxy: Proxy::Off, ..Options::default() }).expect("a client")
}

/// A server that gives these answers, one after the other.
fn server(answers: &[Value]) -> Server {
    let exchanges = answers.iter().map(|answer| Exchange::of_chunks([answer.to_string()])).collect();
    let recording = Recording { exchanges, ..builtin().remove(0) };
    Server::start(vec![recording], Play::in_order()).expect("a server")
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn kind(json: &str) -> Kind {
    serde_json::from_str(json).expect("a kind")
}

/// The header of the only request that `signer` signed for `server`.
async fn sent(server: &Server, signer: &Signer, name: &str) -> Option<String> {
    let request = Request::post(&format!("{}/model/a%3Ab/converse", server.url())).expect("a URL");
    let request = request.header("content-type", "application/json").expect("a header").body(["{", "}"]);
    let request = signer.sign(request, &client(), now()).await.expect("signed");
    let shown = format!("{request:?} {signer:?}");
    for secret in ["wJalr", "sess-secret", "ya29", "sk-key"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    client().send(request).await.expect("an answer");
    server.requests().pop().expect("a request").request.header(name).map(str::to_owned)
}

fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let pairs: HashMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| pairs.get(name).cloned()
}

const AWS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ("AWS_SESSION_TOKEN", "sess-secret"),
    ("AWS_REGION", "eu-central-1"),
];

#[tokio::test]
async fn a_request_to_aws_carries_a_signature_of_what_the_environment_holds() {
    let server = server(&[json!({})]);
    let signer = Signer::new(kind(r#"{"kind":"sigv4"}"#), None, Use::Allowed, &environment(&AWS));
    let authorization = sent(&server, &signer, "authorization").await.expect("a signature");
    let start = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/eu-central-1/bedrock/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=";
    assert!(authorization.starts_with(start), "{authorization}");
    let arrived = &server.requests()[0].request;
    assert_eq!(arrived.header("x-amz-date"), Some("20270115T080000Z"));
    assert_eq!(arrived.header("x-amz-security-token"), Some("sess-secret"));
}

#[tokio::test]
async fn a_key_goes_where_its_kind_says_and_before_what_was_found() {
    for (json, name, expected) in [
        (r#"{"kind":"bearer"}"#, "authorization", Some("Bearer sk-key")),
        (r#"{"kind":"header","name":"x-api-key"}"#, "x-api-key", Some("sk-key")),
        (r#"{"kind":"sigv4","service":"bedrock"}"#, "authorization", Some("Bearer sk-key")),
        (r#"{"kind":"google"}"#, "authorization", Some("Bearer sk-key")),
        (r#"{"kind":"none"}"#, "authorization", None),
    ] {
        let server = server(&[json!({})]);
        let signer = Signer::new(kind(json), Some(Secret::new("sk-key")), Use::Forbidden, &environment(&AWS));
        assert_eq!(sent(&server, &signer, name).await.as_deref(), expected, "{json}");
    }
    let server = server(&[json!({})]);
    let signer =
        Signer::new(kind(r#"{"kind":"query","name":"key"}"#), Some(Secret::new("sk-key")), Use::Allowed, &|_| None);
    sent(&server, &signer, "host").await.expect("a host");
    assert_eq!(server.requests()[0].request.target, "/model/a%3Ab/converse?key=sk-key");
}

#[tokio::test]
async fn what_was_found_goes_to_the_hosts_of_its_provider_only_and_never_without_tls() {
    let sign = async |url: &str, found: Use, environment: &[(&str, &str)]| {
        let variables = self::environment(environment);
        let signer = Signer::new(kind(r#"{"kind":"sigv4"}"#), None, found, &variables);
        signer.sign(Request::post(url).expect("a URL"), &client(), now()).await.map(|_| ())
    };
    let home = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse";
    assert!(sign(home, Use::Allowed, &AWS).await.is_ok());
    assert!(matches!(sign(home, Use::Forbidden, &AWS).await, Err(Error::ForeignHost { .. })));
    assert!(matches!(sign("http://h.example/x", Use::Allowed, &AWS).await, Err(Error::Insecure { .. })));
    assert!(matches!(sign("https://h.example/x", Use::Allowed, &AWS[..3]).await, Err(Error::NoRegion { .. })));
    assert!(matches!(sign(home, Use::Allowed, &AWS[1..]).await, Err(Error::NoAwsCredentials)));
    // A server on this machine checks nothing, so nothing has to be there.
    assert!(sign("http://127.0.0.1:1/x", Use::Forbidden, &[]).await.is_ok());
    let google = Signer::new(kind(r#"{"kind":"google"}"#), None, Use::Allowed, &|_| None);
    let error = google.sign(Request::post(home).expect("a URL"), &client(), now()).await.map(|_| ());
    assert!(matches!(error, Err(Error::NoGoogleAccount)));
}

/// A key that nobody has used before, and the file of an account with it.
fn service_account(token_uri: &str) -> (rsa::RsaPrivateKey, String) {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).expect("a key");
    let pem = key.to_pkcs8_pem(LineEnding::LF).expect("PEM");
    let file = json!({"type":"service_account","client_email":"bot@project.example","private_key_id":"k1",
        "private_key":pem.as_str(),"token_uri":token_uri,"project_id":"project"});
    (key, file.to_string())
}

/// The fields of a form.
fn form(body: &[u8]) -> HashMap<String, String> {
    let text = String::from_utf8(body.to_vec()).expect("a form is text");
    let decoded = |text: &str| text.replace("%3A", ":").replace("%2F", "/").replace("%3D", "=");
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.into(), decoded(value))).collect()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

#[tokio::test]
async fn google_is_asked_with_a_signed_assertion_and_the_token_is_kept_until_it_runs_out() {
    let token = |name: &str| json!({"access_token":format!("ya29.{name}"),"expires_in":3599,"token_type":"Bearer"});
    let google = server(&[token("one"), token("two")]);
    let token_uri = format!("{}/token", google.url());
    let (key, file) = service_account(&token_uri);
    let path = std::env::temp_dir().join(format!("thalweg-account-{}.json", std::process::id()));
    std::fs::write(&path, &file).expect("a temporary file");
    let name = path.display().to_string();
    let variables = environment(&[("GOOGLE_APPLICATION_CREDENTIALS", &name)]);
    let signer = Signer::new(kind(r#"{"kind":"google"}"#), None, Use::Allowed, &variables);
    std::fs::remove_file(&path).expect("it is there");

    let vertex = server(&[json!({}), json!({}), json!({})]);
    assert_eq!(sent(&vertex, &signer, "authorization").await.as_deref(), Some("Bearer ya29.one"));
    assert_eq!(sent(&vertex, &signer.clone(), "authorization").await.as_deref(), Some("Bearer ya29.one"));
    let asked = google.requests();
    assert_eq!(asked.len(), 1, "a token is asked for once");
    let form = form(&asked[0].request.body);
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");

    let [header, claims, signature] = form["assertion"].split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    assert_eq!(decoded(header), json!({"alg":"RS256","typ":"JWT","kid":"k1"}));
    let issued = 1_800_000_000;
    let expected = json!({"iss":"bot@project.example","scope":"https://www.googleapis.com/auth/cloud-platform",
        "aud":token_uri,"iat":issued,"exp":issued + 3600});
    assert_eq!(decoded(claims), expected);
    let public = key.to_public_key().to_pkcs1_der().expect("a public key");
    let public =
        ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, public.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    public.verify(format!("{header}.{claims}").as_bytes(), &signature).expect("signed with the account's own key");

    // In its last minute a token is not used any more.
    let account = Account::read(&file, "a file", "s").expect("an account");
    let again = server(&[token("three"), token("four")]);
    let file = file.replace(&google.url(), &again.url());
    let late = Account::read(&file, "a file", "s").expect("an account");
    assert!(!format!("{account:?} {late:?}").contains("PRIVATE"));
    for (seconds, expected) in [(0, "three"), (3538, "three"), (3539, "four")] {
        let token = late.token(&client(), now() + Duration::from_secs(seconds)).await.expect("a token");
        assert_eq!(token, Secret::new(&format!("ya29.{expected}")), "after {seconds} s");
    }
}

#[tokio::test]
async fn a_login_is_exchanged_too_and_refusals_say_why() {
    let google = server(&[
        json!({"access_token":"ya29.login","expires_in":10}),
        json!({"error":"invalid_grant","error_description":"Token has been expired or revoked."}),
    ]);
    let login = json!({"type":"authorized_user","client_id":"c","client_secret":"s/1","refresh_token":"r",
        "token_uri":format!("{}/token", google.url())});
    let account = Account::read(&login.to_string(), "a file", "s").expect("an account");
    assert_eq!(account.token(&client(), now()).await.expect("a token"), Secret::new("ya29.login"));
    let form = form(&google.requests()[0].request.body);
    assert_eq!((form["grant_type"].as_str(), form["client_secret"].as_str()), ("refresh_token", "s/1"));
    // Too short to be kept.
    let error = account.token(&client(), now()).await.expect_err("revoked").to_string();
    assert!(error.contains("Token has been expired or revoked."), "{error}");
}

#[test]
fn a_file_that_is_no_account_is_refused_without_showing_it() {
    let broken = json!({"type":"service_account","client_email":"e","private_key":"-----BEGIN hunter2"}).to_string();
    for json in ["", "{", r#"{"type":"hunter2"}"#, r#"{"type":"service_account","private_key":"hunter2"}"#, &broken] {
        let error = Account::read(json, "/the/file", "s").expect_err("no account").to_string();
        assert!(error.contains("/the/file") && !error.contains("hunter2"), "{error}");
    }
}
