//! `thalweg models`: what the plugins list that have models of their own, and what a server lists.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use thalweg::plugin::{Model, list_models};
use thalweg::provider::{Table, Wish};
use thalweg::{Agent, AgentBuilder};
use thalweg_abi::host::Plugin;

use crate::endpoint::{check_base_url, key_in, table, variable};
use crate::failure::Failure;
use crate::plugins::{self, BUILT_IN, Offers, Shelf, Tools, Wanted};

/// List models: what --model takes, and what is known of each
///
/// Without PROVIDER and --base-url, those of the plugins that have some. Of a provider that no plugin has models of, and of
/// the server at --base-url, those that the server lists when it is asked.
#[derive(clap::Args)]
pub(crate) struct Models {
    /// Those of this provider; at --base-url it says what is spoken there
    #[arg(value_name = "PROVIDER")]
    provider: Option<String>,
    /// Those of the server at this address, for example `http://127.0.0.1:8080/v1`
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The dialect that the server speaks, where it is not the provider's usual one
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<String>,
    /// The environment variable that holds the key for --base-url
    #[arg(long, value_name = "NAME", requires = "base_url")]
    key_env: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// With the models of this plugin; naming the file is the permission to run its code
    #[arg(long, value_name = "FILE")]
    plugin: Vec<PathBuf>,
}

/// A model, and who has it.
struct Listed {
    /// Its provider, where it is known.
    provider: Option<String>,
    /// The `plugin` by its id, or the `base_url`.
    from: (&'static str, String),
    model: Model,
}

impl Models {
    pub(crate) async fn execute(self) -> Result<(), Failure> {
        let mut listed = if self.base_url.is_none() { self.of_plugins()? } else { Vec::new() };
        if let (true, Some(wanted)) = (listed.is_empty(), self.base_url.as_ref().or(self.provider.as_ref())) {
            let table = table()?;
            if self.base_url.is_none() && table.find(wanted).is_none() {
                return Err(Failure::usage(format_args!(
                    "no plugin lists models of the provider `{wanted}`, and no server has that name; see `thalweg providers`"
                )));
            }
            listed = self.of_server(&table).await?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            for Listed { provider, from: (key, from), model } in &listed {
                let mut line = json!({"provider": provider, *key: from});
                if let (Value::Object(line), Value::Object(model)) = (&mut line, json!(model)) {
                    line.extend(model);
                }
                writeln!(out, "{line}")?;
            }
        } else {
            list(&listed, &mut out)?;
        }
        Ok(out.flush()?)
    }

    /// Asks the server at --base-url, or that of the provider.
    async fn of_server(&self, table: &Table) -> Result<Vec<Listed>, Failure> {
        self.base_url.as_deref().map_or(Ok(()), check_base_url)?;
        let key = self.key_env.as_deref().map(|name| key_in(name, &variable)).transpose()?;
        let wish = Wish {
            model: NO_MODEL,
            provider: self.provider.as_deref(),
            base_url: self.base_url.as_deref(),
            dialect: self.dialect.as_deref(),
            key,
        };
        let route = table.route(&wish, &variable).map_err(Failure::usage)?;
        let provider = route.provider.as_ref().map(|provider| provider.id.clone());
        let from = ("base_url", route.base_url.clone());
        let speaker = plugins::load(Wanted::Dialect(&route.dialect), Tools::None)?.speaker;
        let agent = speaker.codec().into_iter().fold(Agent::builder().route(route), AgentBuilder::codec);
        let agent = agent.build().map_err(Failure::run)?;
        let asked = tokio::time::timeout(PATIENCE, agent.models()).await;
        let models = asked.map_err(|_| {
            Failure::run(format_args!("{} gave no list of models within {} s", from.1, PATIENCE.as_secs()))
        })?;
        let models = models.map_err(Failure::run)?.into_iter();
        Ok(models.map(|model| Listed { provider: provider.clone(), from: from.clone(), model }).collect())
    }

    /// Asks the plugins, those of the provider if one is named.
    fn of_plugins(&self) -> Result<Vec<Listed>, Failure> {
        let shelf = Shelf::find();
        let mut found: Vec<Plugin> = Vec::new();
        for built_in in BUILT_IN.iter().filter(|built_in| matches!(built_in.offers(), Offers::Provider(_))) {
            found.push(shelf.start(built_in)?.0);
        }
        found.extend(plugins::own()?.iter().map(|(plugin, _)| plugin.clone()));
        for file in &self.plugin {
            found.push(plugins::load_file(file)?.plugin().clone());
        }
        let mut listed = Vec::new();
        for plugin in &found {
            let Some(models) = plugin.models() else { continue };
            let provider = plugin.provider().and_then(|provider| {
                let description: Value = serde_json::from_str(provider.description()).ok()?;
                description["provider"].as_str().map(str::to_owned)
            });
            if self.provider.is_some() && self.provider != provider {
                continue;
            }
            for model in list_models(&models).map_err(Failure::run)? {
                listed.push(Listed { provider: provider.clone(), from: ("plugin", plugin.id().to_owned()), model });
            }
        }
        Ok(listed)
    }
}

/// Where one has to be named and none is asked.
const NO_MODEL: &str = "-";

/// How long a server may take to list its models.
const PATIENCE: Duration = Duration::from_secs(20);

fn list(listed: &[Listed], out: &mut impl Write) -> io::Result<()> {
    let number = |tokens: Option<u64>| tokens.map_or("-".to_owned(), |tokens| tokens.to_string());
    let line = |listed: &Listed| {
        let Model { id, name, context_tokens, output_tokens_max, capabilities } = &listed.model;
        let id = listed.provider.as_ref().map_or_else(|| id.clone(), |provider| format!("{provider}/{id}"));
        let name = name.clone().unwrap_or_default();
        [id, number(*context_tokens), number(*output_tokens_max), name, capabilities.join(" ")]
    };
    let mut lines = vec![["MODEL", "CONTEXT", "OUTPUT", "NAME", "CAN"].map(str::to_owned)];
    lines.extend(listed.iter().map(line));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let [model, context, output, name] = [0, 1, 2, 3].map(width);
    for [id, tokens, most, called, can] in &lines {
        let line = format!("{id:model$}  {tokens:>context$}  {most:>output$}  {called:name$}  {can}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
