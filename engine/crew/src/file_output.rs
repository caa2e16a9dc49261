//! What was said, in a file.

use std::fs::{File, create_dir_all};
use std::io::Write;
use std::path::PathBuf;

use crate::agent::{Agent, Interaction};
use crate::field::Field;
use crate::single_text::SingleText;

impl Agent {
    /// An agent that writes what it hears into a file, as it comes, and replies with that. Between messages stands the
    /// configured `delimiter`, or a blank line. What was in the file before is gone.
    pub fn file_output(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::new("file_output", move |interaction: Interaction| {
            let path = path.clone();
            async move {
                interaction.reply(interaction.sent());
                let mut settings = SingleText { keep_originals: false, ..SingleText::default() };
                if let Some(delimiter) = interaction.configuration("delimiter").and_then(Field::as_str) {
                    delimiter.clone_into(&mut settings.delimiter);
                }
                if let Some(folder) = path.parent() {
                    create_dir_all(folder)?;
                }
                let mut file = File::create(&path)?;
                let mut tokens = interaction.sent().single_text(settings).tokens();
                while let Some(token) = tokens.next().await {
                    file.write_all(token?.0.as_bytes())?;
                }
                Ok(())
            }
        })
    }
}
