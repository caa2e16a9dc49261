//! Lets the input itself choose where it is cut, so that the fuzzer can move cuts as it moves bytes.

/// Splits off the cuts: the first byte says how many there are, each of the next ones is the length of a piece, and
/// what is left over is the last piece. Returns the body as well.
pub fn pieces(input: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let Some((&count, rest)) = input.split_first() else { return (&[], Vec::new()) };
    let (lengths, body) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let mut pieces = Vec::new();
    let mut left = body;
    for &length in lengths {
        let (piece, rest) = left.split_at(usize::from(length).min(left.len()));
        pieces.push(piece);
        left = rest;
    }
    pieces.push(left);
    (body, pieces)
}
