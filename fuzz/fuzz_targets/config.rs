//! Any text is a configuration or a list of mistakes; never a panic, a hang or a gigabyte.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _result = weir_config::parse(text);
});
