//! What the environment says of AWS.

use super::Variables;
use super::sigv4::Credentials;
use crate::http::Secret;

/// Credentials and region.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) credentials: Option<Credentials>,
    pub(super) region: Option<String>,
}

impl Found {
    pub(super) fn new(variables: Variables<'_>) -> Self {
        let set = |name: &str| variables(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let credentials = set("AWS_ACCESS_KEY_ID").zip(set("AWS_SECRET_ACCESS_KEY")).map(|(id, secret)| Credentials {
            access_key_id: id,
            secret_access_key: Secret::new(&secret),
            session_token: set("AWS_SESSION_TOKEN").map(|token| Secret::new(&token)),
        });
        Self { credentials, region: set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")) }
    }
}

/// The region in a host of AWS, `bedrock-runtime.us-east-1.amazonaws.com`.
pub(super) fn region_of(host: &str) -> Option<String> {
    let name = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let (_, region) = name.rsplit_once('.')?;
    region.ends_with(|last: char| last.is_ascii_digit()).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_the_last_part_of_a_host_of_aws() {
        for (host, region) in [
            ("bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
            ("vpce-1.bedrock-runtime.eu-west-3.amazonaws.com", Some("eu-west-3")),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("iam.amazonaws.com", None),
            ("us-east-1.example.com", None),
        ] {
            assert_eq!(region_of(host).as_deref(), region, "{host}");
        }
    }

    #[test]
    fn half_of_the_credentials_are_none() {
        let with = |names: &'static [&str]| {
            Found::new(&move |name| names.contains(&name).then(|| format!(" {name} "))).credentials
        };
        assert!(with(&["AWS_ACCESS_KEY_ID"]).is_none());
        assert!(with(&["AWS_SECRET_ACCESS_KEY"]).is_none());
        let credentials = with(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]).expect("both");
        assert_eq!(credentials.access_key_id, "AWS_ACCESS_KEY_ID");
        assert!(credentials.session_token.is_none());
    }
}
