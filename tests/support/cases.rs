//! Reads the case tables in `tests/cases/`: a case a line, its columns parted by tabs, `#` for a remark.

/// One line of a table.
#[derive(Clone, Debug)]
pub struct Case {
    /// The rule, as a sentence.
    pub name: String,
    /// What goes in.
    pub input: Vec<u8>,
    /// What is to come out, as the table's own first lines explain it.
    pub expected: String,
}

/// The cases of a table.
///
/// # Panics
/// When a line does not have three columns.
#[must_use]
pub fn read(table: &str) -> Vec<Case> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let case = |line: &str| {
        let columns: Vec<&str> = line.split('\t').filter(|column| !column.is_empty()).collect();
        let [name, input, expected] = columns[..] else { panic!("three columns parted by tabs in {line:?}") };
        Case { name: name.into(), input: unquote(input), expected: expected.into() }
    };
    lines.map(case).collect()
}

/// The bytes that a column means: `\n`, `\r`, `\t`, `\0`, `\\` and `\xHH` for any byte.
fn unquote(column: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = column.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, used) = match (byte, after.first()) {
            (b'\\', Some(b'n')) => (b'\n', 1),
            (b'\\', Some(b'r')) => (b'\r', 1),
            (b'\\', Some(b't')) => (b'\t', 1),
            (b'\\', Some(b'0')) => (0, 1),
            (b'\\', Some(b'\\')) => (b'\\', 1),
            (b'\\', Some(b'x')) => {
                let digits = std::str::from_utf8(&after[1..3]).expect("two hexadecimal digits after \\x");
                (u8::from_str_radix(digits, 16).expect("two hexadecimal digits after \\x"), 3)
            }
            (b'\\', other) => panic!("unknown escape {other:?} in {column:?}"),
            _ => (byte, 0),
        };
        out.push(byte);
        rest = &after[used..];
    }
    out
}
