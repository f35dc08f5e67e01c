//! libFuzzer's way to `calsync_fuzz::microsoft_notification`, where everything is decided.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| calsync_fuzz::microsoft_notification(data));
