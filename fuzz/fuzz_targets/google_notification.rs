//! libFuzzer's way to `calsync_fuzz::google_notification`, where everything is decided.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| calsync_fuzz::google_notification(data));
