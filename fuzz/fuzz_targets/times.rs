//! libFuzzer's way to `calsync_fuzz::times`, where everything is decided.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| calsync_fuzz::times(data));
