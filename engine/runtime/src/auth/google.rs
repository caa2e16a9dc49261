//! Accounts of Google Cloud, and the tokens that Google gives for them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{Error, Variables};
use crate::http::{Client, Request, Secret};

/// An account, with the token that it was given last. Clones share the token.
#[derive(Clone)]
pub struct Account {
    inner: Arc<Inner>,
}

struct Inner {
    path: String,
    scope: String,
    grant: Grant,
    /// Held while a token is asked for, so that many requests ask once.
    token: Mutex<Option<Token>>,
}

/// What a token is given for.
enum Grant {
    /// An assertion, signed with the account's own key.
    ServiceAccount { email: String, key_id: Option<String>, key: Arc<dyn rustls::sign::SigningKey>, token_uri: String },
    /// What a person was given for a login.
    User { client_id: String, client_secret: Secret, refresh_token: Secret, token_uri: String },
}

struct Token {
    secret: Secret,
    /// Not used any more from here on.
    until: SystemTime,
}

/// The file of an account as Google writes it.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum File {
    ServiceAccount {
        client_email: String,
        private_key: String,
        #[serde(default)]
        private_key_id: Option<String>,
        #[serde(default = "token_uri")]
        token_uri: String,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: String,
        refresh_token: String,
        #[serde(default = "token_uri")]
        token_uri: String,
    },
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

/// A token is not used in its last minute: the request may be long on its way.
const SPARE: Duration = Duration::from_secs(60);
/// How long an assertion is good; the most that Google takes.
const ASSERTION_SECONDS: u64 = 3600;
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

impl Account {
    /// The account in the file that `GOOGLE_APPLICATION_CREDENTIALS` names, or the one of `gcloud`'s login. None if there is
    /// neither.
    ///
    /// # Errors
    /// When there is a file that cannot be used.
    pub(super) fn find(scope: &str, variables: Variables<'_>) -> Result<Option<Self>, Error> {
        let set = |name: &str| variables(name).filter(|value| !value.trim().is_empty());
        let named = set("GOOGLE_APPLICATION_CREDENTIALS").map(|path| PathBuf::from(path.trim()));
        let is_named = named.is_some();
        let file = "application_default_credentials.json";
        let folder = set("CLOUDSDK_CONFIG").map(PathBuf::from);
        let folder = folder.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".config/gcloud")));
        let Some(path) = named.or_else(|| folder.map(|folder| folder.join(file))) else { return Ok(None) };
        let shown = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(json) => Self::read(&json, &shown, scope).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => Ok(None),
            Err(error) => Err(Error::Account { path: shown, reason: error.to_string() }),
        }
    }

    /// The account that `json` describes; `path` is for messages, `scope` what its tokens are for.
    ///
    /// # Errors
    /// When it is neither a service account nor a login, or its key cannot be read.
    pub fn read(json: &str, path: &str, scope: &str) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Account { path: path.to_owned(), reason };
        // What serde says could show a part of the file.
        let file: File = serde_json::from_str(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            unusable(format!("it is no service account and no login, see line {line}, column {column}"))
        })?;
        let grant = match file {
            File::ServiceAccount { client_email, private_key, private_key_id, token_uri } => {
                let key = PrivateKeyDer::from_pem_slice(private_key.as_bytes())
                    .map_err(|_| unusable("its private_key is no key in PEM form".into()))?;
                let provider = crate::http::crypto();
                let key = provider
                    .key_provider
                    .load_private_key(key)
                    .map_err(|_| unusable("its private_key is of a kind that cannot be used".into()))?;
                Grant::ServiceAccount { email: client_email, key_id: private_key_id, key, token_uri }
            }
            File::AuthorizedUser { client_id, client_secret, refresh_token, token_uri } => Grant::User {
                client_id,
                client_secret: Secret::new(&client_secret),
                refresh_token: Secret::new(&refresh_token),
                token_uri,
            },
        };
        let inner = Inner { path: path.to_owned(), scope: scope.to_owned(), grant, token: Mutex::new(None) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A token that is good at the time `now`: the last one, or one that Google is asked for.
    ///
    /// # Errors
    /// When Google gives none.
    pub async fn token(&self, client: &Client, now: SystemTime) -> Result<Secret, Error> {
        let mut last = self.inner.token.lock().await;
        if let Some(token) = last.as_ref().filter(|token| now < token.until) {
            return Ok(token.secret.clone());
        }
        let token = self.inner.ask(client, now).await?;
        let secret = token.secret.clone();
        *last = Some(token);
        Ok(secret)
    }
}

/// Without key and tokens.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Inner {
    async fn ask(&self, client: &Client, now: SystemTime) -> Result<Token, Error> {
        let (form, token_uri) = match &self.grant {
            Grant::ServiceAccount { token_uri, .. } => {
                let assertion = self.assertion(now)?;
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned();
                (form([("grant_type", &grant), ("assertion", &assertion)]), token_uri)
            }
            Grant::User { client_id, client_secret, refresh_token, token_uri } => {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", client_id),
                    ("client_secret", client_secret.expose()),
                    ("refresh_token", refresh_token.expose()),
                ];
                (form(fields), token_uri)
            }
        };
        let request = Request::post(token_uri)?.header("content-type", "application/x-www-form-urlencoded")?;
        let host = request.host().to_owned();
        if !request.is_https() && !request.is_loopback() {
            return Err(Error::Insecure { host });
        }
        let mut response = client.send(request.body([form])).await?;
        let status = response.status;
        let mut answer = Vec::new();
        response.body.read_to(&mut answer, ANSWER_BYTES_MAX).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let refused = |reason: &str| Error::Token { host: host.clone(), status, reason: reason.to_owned() };
        let Some(token) = answer["access_token"].as_str().filter(|token| !token.is_empty() && status == 200) else {
            let said = ["error_description", "error"].iter().find_map(|name| answer[*name].as_str());
            return Err(refused(said.unwrap_or("no access_token in the answer")));
        };
        let lasts = Duration::from_secs(answer["expires_in"].as_u64().unwrap_or(0).min(24 * 3600));
        Ok(Token { secret: Secret::new(token), until: now + lasts.saturating_sub(SPARE) })
    }

    /// A JSON Web Token that says who asks, for what, and when.
    fn assertion(&self, now: SystemTime) -> Result<String, Error> {
        let unusable = |reason: &str| Error::Account { path: self.path.clone(), reason: reason.to_owned() };
        let Grant::ServiceAccount { email, key_id, key, token_uri } = &self.grant else {
            return Err(unusable("it is no service account"));
        };
        let issued = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(id) = key_id {
            header["kid"] = json!(id);
        }
        let claims = json!({"iss": email, "scope": self.scope, "aud": token_uri, "iat": issued,
            "exp": issued + ASSERTION_SECONDS});
        let encoded = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let text = format!("{}.{}", encoded(&header), encoded(&claims));
        let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]);
        let signer = signer.ok_or_else(|| unusable("its private_key is no RSA key"))?;
        let signature = signer.sign(text.as_bytes()).map_err(|_| unusable("its private_key cannot sign"))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn form<const N: usize>(fields: [(&str, &str); N]) -> String {
    let encoded = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    fields.map(|(name, value)| format!("{name}={}", encoded(value))).join("&")
}
