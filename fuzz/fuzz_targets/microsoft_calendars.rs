//! libFuzzer's way to `calsync_fuzz::microsoft_calendars`, where everything is decided.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| calsync_fuzz::microsoft_calendars(data));
