//! Small plugins to begin with: for each kind and language a project that builds, passes its check and does something.

use std::fmt;
use std::path::Path;

/// What the plugin offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// How a provider is spoken to
    Codec,
    /// A model inside the process, or behind a protocol of its own
    Provider,
    /// What a model can call
    Tool,
}

/// What it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// C99
    C,
    /// Rust
    Rust,
    /// C++17
    Cpp,
}

/// A name that works as id, as part of a file name and as the name of a tool.
#[derive(Clone, Debug)]
pub(crate) struct Name(String);

/// Why a name is refused.
#[derive(Debug)]
pub(crate) struct BadName;

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name has 1 to {NAME_MAX} of a-z, 0-9, `-` and `_`, and begins with a letter")
    }
}

const NAME_MAX: usize = 48;

impl Name {
    pub(crate) fn new(name: &str) -> Result<Self, BadName> {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let is_good = name.len() <= NAME_MAX
            && name.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && name.bytes().all(is_allowed);
        if is_good { Ok(Self(name.to_owned())) } else { Err(BadName) }
    }

    /// As it stands in the name of a file.
    fn identifier(&self) -> String {
        self.0.replace('-', "_")
    }
}

/// A file of the project: its path within it, and its text.
pub(crate) type File = (&'static str, String);

/// The files of a project. `checkout` is the source tree of this command, if it is there.
pub(crate) fn files(name: &Name, kind: Kind, language: Language, checkout: Option<&Path>) -> Vec<File> {
    let project = Project { name, kind, language, checkout };
    let (path, text) = project.source();
    let mut files = vec![(path, text), ("README.md", project.fill_in(include_str!("scaffold/README.md.in")))];
    match language {
        Language::Rust => {
            files.push(("Cargo.toml", project.fill_in(include_str!("scaffold/Cargo.toml.in"))));
            files.push((".gitignore", "/target\n".to_owned()));
        }
        Language::C | Language::Cpp => {
            files.push(("Makefile", project.fill_in(include_str!("scaffold/Makefile.in"))));
            files.push(("thalweg_plugin.h", include_str!("../../../ffi/include/thalweg_plugin.h").to_owned()));
            files.push((".gitignore", "*.so\n*.dylib\n".to_owned()));
        }
    }
    files
}

struct Project<'a> {
    name: &'a Name,
    kind: Kind,
    language: Language,
    checkout: Option<&'a Path>,
}

impl Project<'_> {
    fn source(&self) -> (&'static str, String) {
        let template = match (self.language, self.kind) {
            (Language::C, Kind::Codec) => include_str!("scaffold/c/codec.c"),
            (Language::C, Kind::Provider) => include_str!("scaffold/c/provider.c"),
            (Language::C, Kind::Tool) => include_str!("scaffold/c/tool.c"),
            (Language::Cpp, Kind::Codec) => include_str!("scaffold/cpp/codec.cpp"),
            (Language::Cpp, Kind::Provider) => include_str!("scaffold/cpp/provider.cpp"),
            (Language::Cpp, Kind::Tool) => include_str!("scaffold/cpp/tool.cpp"),
            (Language::Rust, Kind::Codec) => include_str!("scaffold/rust/codec.rs"),
            (Language::Rust, Kind::Provider) => include_str!("scaffold/rust/provider.rs"),
            (Language::Rust, Kind::Tool) => include_str!("scaffold/rust/tool.rs"),
        };
        let (common, unescape, entry) = match self.language {
            Language::C => (
                include_str!("scaffold/c/common.c"),
                include_str!("scaffold/c/unescape.c"),
                include_str!("scaffold/c/entry.c"),
            ),
            Language::Cpp => (include_str!("scaffold/cpp/common.cpp"), "", include_str!("scaffold/cpp/entry.cpp")),
            Language::Rust => ("", "", ""),
        };
        let text = template.replace("@COMMON@", common).replace("@UNESCAPE@", unescape).replace("@ENTRY@\n", entry);
        (self.source_path(), self.fill_in(&text))
    }

    const fn source_path(&self) -> &'static str {
        match self.language {
            Language::C => "plugin.c",
            Language::Cpp => "plugin.cpp",
            Language::Rust => "src/lib.rs",
        }
    }

    fn library(&self) -> String {
        let file =
            format!("{}thw_{}{}", std::env::consts::DLL_PREFIX, self.name.identifier(), std::env::consts::DLL_SUFFIX);
        if self.language == Language::Rust { format!("target/release/{file}") } else { file }
    }

    /// The crates that it needs: those of the source tree where there is one, those of the registry elsewhere.
    fn dependencies(&self) -> String {
        let ours = |package: &str, folder: &str, features: &str| match self.checkout {
            Some(checkout) => format!("{package} = {{ path = {:?}{features} }}\n", checkout.join(folder)),
            None => format!("{package} = {{ version = {:?}{features} }}\n", env!("CARGO_PKG_VERSION")),
        };
        let mut lines = ours("thalweg-abi", "ffi/abi", ", features = [\"guest\"]");
        if self.kind == Kind::Codec {
            lines.push_str(&ours("thalweg-wire", "engine/wire", ""));
        }
        lines + "serde_json = \"1\"\n"
    }

    fn fill_in(&self, text: &str) -> String {
        let name = &self.name.0;
        let what = match self.kind {
            Kind::Codec => "A dialect: how a provider is spoken to.",
            Kind::Provider => "A provider that drives itself: it says again what was said last.",
            Kind::Tool => "A tool: it counts the words of a text.",
        };
        let use_it = match self.kind {
            Kind::Codec => format!(
                "Then talk to a server that speaks it: `thalweg chat --dialect {name} --base-url http://127.0.0.1:8080 \
                 --model any`."
            ),
            Kind::Provider => format!("Then `thalweg chat --model {name}/echo`."),
            Kind::Tool => "Then every model that you talk to with `thalweg chat` can call it.".to_owned(),
        };
        let (compiler, cc, standard, cflags) = match self.language {
            Language::Cpp => ("CXXFLAGS ?= -O2 -g", "CXX", "-std=c++17", "CXXFLAGS"),
            _ => ("CFLAGS ?= -O2 -g", "CC", "-std=c99", "CFLAGS"),
        };
        let (build, reference) = match self.language {
            Language::Rust => ("cargo build --release", "the documentation of `thalweg_abi::guest`"),
            _ => ("make", "`thalweg_plugin.h`"),
        };
        text.replace("@WHAT@", what)
            .replace("@USE@", &use_it)
            .replace("@BUILD@", build)
            .replace("@REFERENCE@", reference)
            .replace("@LIBRARY@", &self.library())
            .replace("@SOURCE@", self.source_path())
            .replace("@DEPENDENCIES@", &self.dependencies())
            .replace("@COMPILER@", compiler)
            .replace("@CC@", cc)
            .replace("@STANDARD@", standard)
            .replace("@CFLAGS@", cflags)
            .replace("@IDENT@", &self.name.identifier())
            .replace("@NAME@", name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn no_placeholder_is_left_in_any_file() {
        let name = Name::new("my-plugin").expect("a name");
        for kind in Kind::value_variants() {
            for language in Language::value_variants() {
                for checkout in [None, Some(Path::new("/src/thalweg"))] {
                    for (path, text) in files(&name, *kind, *language, checkout) {
                        let is_left = text
                            .split('@')
                            .skip(1)
                            .step_by(2)
                            .any(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_uppercase()));
                        assert!(!is_left, "{path} of {kind:?} in {language:?}: {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_the_source_tree_the_crates_come_from_the_registry() {
        let name = Name::new("x").expect("a name");
        let manifest = |checkout| {
            let files = files(&name, Kind::Codec, Language::Rust, checkout);
            files.into_iter().find(|(path, _)| *path == "Cargo.toml").expect("there").1
        };
        let version = format!("thalweg-wire = {{ version = {:?} }}", env!("CARGO_PKG_VERSION"));
        assert!(manifest(None).contains(&version), "{}", manifest(None));
        assert!(manifest(Some(Path::new("/src"))).contains("path = \"/src/ffi/abi\", features = [\"guest\"]"));
    }

    #[test]
    fn names_that_break_a_file_or_a_tool_are_refused() {
        for name in ["", "1a", "A", "a b", "a/b", "a.b", "é", "-a", &"a".repeat(49)] {
            assert!(Name::new(name).is_err(), "{name}");
        }
        for name in ["a", "my-tool_2", &"a".repeat(48)] {
            assert!(Name::new(name).is_ok(), "{name}");
        }
    }
}
