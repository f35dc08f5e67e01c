//! libFuzzer's way to `calsync_fuzz::requests`, where everything is decided.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| calsync_fuzz::requests(data));
