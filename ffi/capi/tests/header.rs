//! `thalweg.h` and this crate agree on every layout and constant.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use thalweg_capi::{compact, events, hook, key, observe, packed, program, provider, run, sequence, tool, version};
use thalweg_tests::c;

/// The structs of the header with their members.
macro_rules! structs {
    ($($name:literal $type:path { $($member:ident),* $(,)? })*) => {{
        let (mut program, mut ours) = (String::new(), String::new());
        $(
            writeln!(program, "  printf(\"{0} %zu %zu\\n\", sizeof({0}), alignof({0}));", $name).unwrap();
            writeln!(ours, "{} {} {}", $name, size_of::<$type>(), align_of::<$type>()).unwrap();
            $(
                let member = stringify!($member);
                writeln!(program, "  printf(\"{0}.{1} %zu %zu\\n\", offsetof({0}, {1}), sizeof((({0} *)0)->{1}));", $name, member).unwrap();
                let size = size_of_member(|whole: &$type| &raw const whole.$member);
                writeln!(ours, "{}.{} {} {}", $name, member, offset_of!($type, $member), size).unwrap();
            )*
        )*
        (program, ours)
    }};
}

/// The size of what `member` points to.
const fn size_of_member<T, M>(_: fn(&T) -> *const M) -> usize {
    size_of::<M>()
}

#[test]
fn layouts_agree_on_both_sides() {
    let (program, ours) = structs! {
        "thw_host_tool" tool::HostTool {
            struct_size, flags, name, description, parameters, invoke, context, drop,
        }
        "thw_host_hook" hook::HostHook { struct_size, point, invoke, context, drop }
        "thw_host_provider" provider::HostProvider { struct_size, flags, name, invoke, context, drop }
        "thw_callbacks" program::Callbacks {
            struct_size, tools_len, tools, hooks_len, providers_len, hooks, providers,
        }
        "thw_run_options" run::RunOptions { struct_size, flags, user }
        "thw_batch" thalweg_capi::Batch { user, events, count, status, reserved }
        "thw_record" packed::Record {
            record_len, kind, flags, block, sub, text_len, aux_len, reserved, num, seq,
        }
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, binary) = (folder.join("library_layout.c"), folder.join("library_layout"));
    let head = "#include <thalweg.h>\n#include <stdalign.h>\n#include <stdio.h>\n";
    fs::write(&source, format!("{head}int main(void) {{\n{program}}}\n")).unwrap();
    let mut compiler = c::compiler();
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-I"]).arg(c::include());
    c::run(compiler.arg(&source).arg("-o").arg(&binary));
    let theirs = c::run(&mut Command::new(&binary));
    assert_eq!(String::from_utf8(theirs.stdout).unwrap(), ours);
}

#[test]
fn constants_agree_on_both_sides_and_none_is_missing() {
    macro_rules! constants {
        ($($module:ident::{ $($name:ident),* $(,)? })*) => {
            BTreeMap::from([$($((concat!("THW_", stringify!($name)).to_owned(), i64::from($module::$name))),*),*])
        };
    }
    let mut ours: BTreeMap<String, i64> = constants! {
        events::{
            EVENT_AGENT_START, EVENT_TURN_START, EVENT_MESSAGE_BEGIN, EVENT_CONTENT_BEGIN, EVENT_CONTENT_END,
            EVENT_MESSAGE_END, EVENT_TOOL_EXECUTION_START, EVENT_TOOL_EXECUTION_UPDATE, EVENT_TOOL_EXECUTION_END,
            EVENT_TURN_END, EVENT_AGENT_END, EVENT_LAGGED,
        }
        run::{ RUN_DRAIN }
        sequence::{ OUT_OF_ORDER }
        hook::{
            HOOK_BEFORE_TOOL_CALL, HOOK_AFTER_TOOL_CALL, HOOK_TRANSFORM_CONTEXT, HOOK_CONVERT_MESSAGES, HOOK_AFTER_TURN,
        }
        key::{ HOOK_API_KEY }
        compact::{ HOOK_COMPACT }
        observe::{ HOOK_OBSERVE }
    };
    // What the header says of itself, and of the package.
    for feature in ["AGENT", "CREW", "DECODER", "DRAIN", "FD", "HOOKS", "PROVIDERS", "SESSIONS", "STEER"] {
        ours.insert(format!("THW_FEATURE_{feature}"), 1);
    }
    let parts = [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    for (name, part) in ["MAJOR", "MINOR", "PATCH"].into_iter().zip(parts) {
        ours.insert(format!("THW_VERSION_{name}"), part.parse().unwrap());
    }
    let header = fs::read_to_string(c::include().join("thalweg.h")).unwrap();
    let numbers = header.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("#define ")?.split_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    assert_eq!(numbers.collect::<BTreeMap<String, i64>>(), ours);
    assert!(header.contains(&format!("#define THW_VERSION \"{}\"", env!("CARGO_PKG_VERSION"))));
    assert!(header.contains("#define THW_FOREVER UINT32_MAX") && run::FOREVER == u32::MAX);
    let [major, minor, patch] = parts.map(|part| part.parse::<u32>().unwrap());
    assert_eq!(version::thw_version_number(), major << 16 | minor << 8 | patch);
}
