//! JSON read on demand, without allocation: what codecs use on a whole, validated payload.
