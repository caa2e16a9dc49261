//! `thalweg models`: what the plugins list that have models of their own.

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::{Value, json};
use thalweg::plugin::{Model, list_models};
use thalweg_abi::host::Plugin;

use crate::failure::Failure;
use crate::plugins::{self, BUILT_IN, Offers, Shelf};

/// List the models of the plugins that have some: what --model takes, and what is known of each
#[derive(clap::Args)]
pub(crate) struct Models {
    /// Only those of this provider
    #[arg(value_name = "PROVIDER")]
    provider: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// With the models of this plugin; naming the file is the permission to run its code
    #[arg(long, value_name = "FILE")]
    plugin: Vec<PathBuf>,
}

/// A model, and who has it.
struct Listed {
    /// Its provider, where the plugin is one.
    provider: Option<String>,
    plugin: String,
    model: Model,
}

impl Models {
    pub(crate) fn execute(self) -> Result<(), Failure> {
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
                listed.push(Listed { provider: provider.clone(), plugin: plugin.id().to_owned(), model });
            }
        }
        if let (true, Some(provider)) = (listed.is_empty(), &self.provider) {
            return Err(Failure::usage(format_args!("no plugin lists models of the provider `{provider}`")));
        }
        let mut out = io::stdout().lock();
        if self.json {
            for Listed { provider, plugin, model } in &listed {
                let mut line = json!({"provider": provider, "plugin": plugin});
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
}

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
