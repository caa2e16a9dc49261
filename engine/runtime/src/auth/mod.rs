//! How requests are signed: the codec says the kind, the engine holds the means, and the codec never sees them.
//!
//! A key is put where the kind says. What is found on the machine, credentials of AWS and accounts of Google, is used where
//! there is no key: AWS requests are signed with it, and Google gives a token for it that is kept until it runs out.

mod aws;
mod google;
mod key_source;
mod sigv4;

use std::time::SystemTime;

use serde::Deserialize;

use crate::http::{self, AuthKind, Client, Request, Secret};
pub use google::Account;
pub use key_source::KeySource;
pub use sigv4::{Credentials, Scope, sign as sign_aws};

/// The environment as a caller shows it: the value of a variable, if it is set.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How a provider wants its requests signed, as a codec's description or a row of the table says under `auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Not at all.
    #[default]
    None,
    /// A key in `authorization`, after `Bearer`.
    Bearer,
    /// A key in a header of its own.
    Header {
        /// Name of the header.
        name: String,
    },
    /// A key in the address.
    Query {
        /// Name of the parameter.
        name: String,
    },
    /// AWS Signature Version 4; a key instead of credentials goes in `authorization`.
    SigV4 {
        /// The service, as in `bedrock`.
        #[serde(default = "bedrock")]
        service: String,
        /// The region, where neither the host nor the environment tells it.
        #[serde(default)]
        region: Option<String>,
    },
    /// An account of Google Cloud; a key, which is then a token, goes in `authorization`.
    Google {
        /// What the token is for.
        #[serde(default = "cloud_platform")]
        scope: String,
    },
}

fn bedrock() -> String {
    "bedrock".to_owned()
}

fn cloud_platform() -> String {
    "https://www.googleapis.com/auth/cloud-platform".to_owned()
}

/// Why a request cannot be signed. No message holds a key.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No credentials of AWS.
    #[error(
        "no credentials for AWS; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or a key in \
         AWS_BEARER_TOKEN_BEDROCK"
    )]
    NoAwsCredentials,
    /// The region of AWS is not known.
    #[error("the AWS region of {host} is not known; set AWS_REGION")]
    NoRegion {
        /// Where the request goes.
        host: String,
    },
    /// No account of Google.
    #[error(
        "no account for Google Cloud; name the file of a service account in GOOGLE_APPLICATION_CREDENTIALS, or run \
         `gcloud auth application-default login`"
    )]
    NoGoogleAccount,
    /// The file of an account cannot be used.
    #[error("the account in {path} cannot be used: {reason}")]
    Account {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Google gave no token.
    #[error("no token from {host}: HTTP status {status}, {reason}")]
    Token {
        /// Where it was asked for.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What the server says.
        reason: String,
    },
    /// What was found on the machine may not go there.
    #[error("{host} is not a host of this provider, so it gets none of its credentials; give a key of its own")]
    ForeignHost {
        /// Where the request goes.
        host: String,
    },
    /// Credentials would be readable on their way.
    #[error("{host} is reached without TLS, so it gets no credentials; use https")]
    Insecure {
        /// Where the request goes.
        host: String,
    },
    /// The function that is asked for keys failed.
    #[error("no key for {provider}: the function that gives it says: {reason}")]
    KeySource {
        /// The provider.
        provider: String,
        /// What the function says.
        reason: String,
    },
    /// The function that is asked for keys gave none, and there is no other.
    #[error("no key for {provider}: the function that gives it gave none; set one with api_key, or have it give one")]
    NoKeyGiven {
        /// The provider.
        provider: String,
    },
    /// The request cannot be made or sent.
    #[error(transparent)]
    Http(#[from] http::Error),
}

/// Signs the requests of one provider.
#[derive(Clone, Debug)]
pub struct Signer {
    kind: Kind,
    key: Option<Secret>,
    aws: Option<aws::Found>,
    google: Result<Option<Account>, Error>,
    may_use_found: Use,
}

/// Whether the provider may get what is found on the machine: only its own hosts do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The host is one that the table or the user names for it.
    Allowed,
    /// It is another one.
    Forbidden,
}

impl Signer {
    /// A signer with a key, or with what `variables` lead to.
    #[must_use]
    pub fn new(kind: Kind, key: Option<Secret>, found: Use, variables: Variables<'_>) -> Self {
        let key = key.filter(|key| !key.is_empty());
        let finds = key.is_none();
        let aws = (finds && matches!(kind, Kind::SigV4 { .. })).then(|| aws::Found::new(variables));
        let google = match &kind {
            Kind::Google { scope } if finds => Account::find(scope, variables),
            _ => Ok(None),
        };
        Self { kind, key, aws, google, may_use_found: found }
    }

    /// The same signer with another key.
    #[must_use]
    pub fn with_key(&self, key: Secret) -> Self {
        Self { key: Some(key).filter(|key| !key.is_empty()), ..self.clone() }
    }

    /// The request, signed at the time `now`; `client` is used to ask for a token where one is needed.
    ///
    /// # Errors
    /// When there is nothing to sign with, or it may not go to the request's host.
    pub async fn sign(&self, request: Request, client: &Client, now: SystemTime) -> Result<Request, Error> {
        if let Some(key) = &self.key {
            let place = match &self.kind {
                Kind::None => AuthKind::None,
                Kind::Bearer | Kind::SigV4 { .. } | Kind::Google { .. } => AuthKind::Bearer,
                Kind::Header { name } => AuthKind::Header { name: name.clone() },
                Kind::Query { name } => AuthKind::Query { name: name.clone() },
            };
            return Ok(request.auth(&place, key)?);
        }
        match &self.kind {
            Kind::SigV4 { service, region } => {
                let Some(found) = &self.aws else { return Ok(request) };
                let Some(credentials) = &found.credentials else {
                    // A server on this machine checks no signature.
                    return if request.is_loopback() { Ok(request) } else { Err(Error::NoAwsCredentials) };
                };
                self.check_host(&request)?;
                let host = request.host().to_owned();
                let region = aws::region_of(&host).or_else(|| found.region.clone()).or_else(|| region.clone());
                let region = match region {
                    Some(region) => region,
                    None if request.is_loopback() => "us-east-1".to_owned(),
                    None => return Err(Error::NoRegion { host }),
                };
                sign_request(request, credentials, &Scope { region, service: service.clone() }, now)
            }
            Kind::Google { .. } => {
                let account = match &self.google {
                    Ok(Some(account)) => account,
                    Ok(None) if request.is_loopback() => return Ok(request),
                    Ok(None) => return Err(Error::NoGoogleAccount),
                    Err(error) => return Err(error.clone()),
                };
                self.check_host(&request)?;
                let token = account.token(client, now).await?;
                Ok(request.auth(&AuthKind::Bearer, &token)?)
            }
            Kind::None | Kind::Bearer | Kind::Header { .. } | Kind::Query { .. } => Ok(request),
        }
    }

    fn check_host(&self, request: &Request) -> Result<(), Error> {
        let host = || request.host().to_owned();
        if request.is_loopback() {
            return Ok(());
        }
        if self.may_use_found == Use::Forbidden {
            return Err(Error::ForeignHost { host: host() });
        }
        if request.is_https() { Ok(()) } else { Err(Error::Insecure { host: host() }) }
    }
}

/// Puts the headers of a signature on a request.
fn sign_request(request: Request, credentials: &Credentials, scope: &Scope, now: SystemTime) -> Result<Request, Error> {
    let headers = sign_aws(credentials, scope, &request.parts(), now);
    let mut request = request;
    for (name, value) in headers {
        request = request.secret_header(name, &value)?;
    }
    Ok(request)
}
