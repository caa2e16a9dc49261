//! The layout of every struct of the ABI, as version 1 froze it: size, alignment, and place and size of each member.
//!
//! The numbers are those of 64-bit machines and are asserted when this crate is compiled; `tests/plugins_c/layout.c`
//! asserts the same numbers from C. A table that grows gets its new members here at its end, and a new size; no other
//! number ever changes.

use crate::{table, types};

/// A struct of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struct {
    /// Its name in C.
    pub name: &'static str,
    /// `sizeof`.
    pub size: usize,
    /// `alignof`.
    pub align: usize,
    /// Its members, in order.
    pub members: &'static [Member],
}

/// A member of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// `offsetof`.
    pub offset: usize,
    /// `sizeof`.
    pub size: usize,
}

/// The size of what `member` points to.
const fn size_of_member<T, M>(_: fn(&T) -> *const M) -> usize {
    size_of::<M>()
}

/// Makes [`STRUCTS`] from the types, and asserts the frozen numbers where pointers have 64 bits.
macro_rules! frozen {
    ($($name:literal $type:path[$size:literal, $align:literal] { $($member:ident $offset:literal $bytes:literal),* $(,)? })*) => {
        /// Every struct of the header, as this build lays it out.
        pub const STRUCTS: &[Struct] = &[$(Struct {
            name: $name,
            size: size_of::<$type>(),
            align: align_of::<$type>(),
            members: &[$(Member {
                name: stringify!($member),
                offset: core::mem::offset_of!($type, $member),
                size: size_of_member(|whole: &$type| &raw const whole.$member),
            }),*],
        }),*];

        // Names all members, or it does not compile.
        $(const _: fn($type) = |whole| {
            let $type { $($member: _),* } = whole;
        };)*

        #[cfg(target_pointer_width = "64")]
        const _: () = {$(
            assert!(size_of::<$type>() == $size && align_of::<$type>() == $align, $name);
            $(assert!(
                core::mem::offset_of!($type, $member) == $offset
                    && size_of_member(|whole: &$type| &raw const whole.$member) == $bytes,
                concat!($name, ".", stringify!($member)),
            );)*
        )*};
    };
}

frozen! {
    "thw_str" types::Str[16, 8] {
        ptr 0 8, len 8 8,
    }
    "thw_error" types::Error[264, 8] {
        struct_size 0 4, code 4 4, http_status 8 4, flags 12 4, retry_after_ms 16 8, message_len 24 4,
        reserved 28 4, message 32 232,
    }
    "thw_event" types::Event[64, 8] {
        kind 0 4, flags 4 4, block 8 4, sub 12 4, text 16 16, aux 32 16, num 48 8, seq 56 8,
    }
    "thw_frame" types::Frame[40, 8] {
        data 0 16, event 16 16, kind 32 4, status 36 4,
    }
    "thw_manifest" table::Manifest[224, 4] {
        magic 0 4, struct_size 4 4, abi_major 8 4, abi_minor 12 4, min_host_minor 16 4, pointer_bits 20 4,
        event_size 24 4, flags 28 4, id 32 64, version 96 32, build 128 64, cpu 192 32,
    }
    "thw_host_services" table::HostServices[104, 8] {
        struct_size 0 4, abi_minor 4 4, log 8 8, log_enabled 16 8, alloc 24 8, dealloc 32 8, now_ns 40 8,
        get_extension 48 8, sink_push 56 8, sink_finish 64 8, is_cancelled 72 8, on_cancel 80 8,
        off_cancel 88 8, sink_wait 96 8,
    }
    "thw_json" table::Json[40, 8] {
        struct_size 0 4, flags 4 4, find 8 8, count 16 8, unescape 24 8, escape 32 8,
    }
    "thw_plugin" table::Plugin[32, 8] {
        struct_size 0 4, flags 4 4, context 8 8, deinit 16 8, get_interface 24 8,
    }
    "thw_http_header" table::HttpHeader[32, 8] {
        name 0 16, value 16 16,
    }
    "thw_http_request" table::HttpRequest[80, 8] {
        struct_size 0 4, headers_len 4 4, method 8 16, path 24 16, headers 40 8, body_head 48 16,
        body_tail 64 16,
    }
    "thw_codec" table::Codec[72, 8] {
        struct_size 0 4, flags 4 4, describe 8 8, open 16 8, encode_message 24 8, encode_request 32 8,
        decode 40 8, finish 48 8, reset 56 8, close 64 8,
    }
    "thw_provider" table::Provider[24, 8] {
        struct_size 0 4, flags 4 4, describe 8 8, start 16 8,
    }
    "thw_tool_info" table::ToolInfo[56, 8] {
        struct_size 0 4, flags 4 4, name 8 16, description 24 16, parameters 40 16,
    }
    "thw_tool" table::Tool[32, 8] {
        struct_size 0 4, flags 4 4, count 8 8, describe 16 8, invoke 24 8,
    }
    "thw_models" table::Models[16, 8] {
        struct_size 0 4, flags 4 4, list 8 8,
    }
    "thw_embeddings" table::Embeddings[48, 8] {
        struct_size 0 4, flags 4 4, values 8 8, count 16 4, dimensions 20 4, input_tokens 24 8, model 32 16,
    }
    "thw_embed" table::Embed[48, 8] {
        struct_size 0 4, flags 4 4, describe 8 8, open 16 8, encode 24 8, decode 32 8, close 40 8,
    }
    "thw_serve" table::Serve[56, 8] {
        struct_size 0 4, flags 4 4, describe 8 8, open 16 8, parse 24 8, encode 32 8, finish 40 8, close 48 8,
    }
    "thw_http_call" table::HttpCall[96, 8] {
        struct_size 0 4, headers_len 4 4, method 8 16, url 24 16, headers 40 8, body 48 16, credential 64 16,
        credential_header 80 16,
    }
    "thw_http_receiver" table::HttpReceiver[40, 8] {
        struct_size 0 4, flags 4 4, user 8 8, head 16 8, body 24 8, end 32 8,
    }
    "thw_http" table::Http[32, 8] {
        struct_size 0 4, flags 4 4, send 8 8, resume 16 8, abort 24 8,
    }
}
