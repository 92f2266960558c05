//! Tells the program which versions it was made with.

use std::process::Command;

fn main() {
    let lock = std::fs::read_to_string("Cargo.lock").unwrap();
    for (variable, name) in [("PEER_TOKIO", "tokio"), ("PEER_FUTURES", "futures")] {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let version = lock.split(&entry).nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        println!("cargo::rustc-env={variable}={version}");
    }
    let rustc = Command::new(std::env::var("RUSTC").unwrap()).arg("--version").output().unwrap();
    let words = String::from_utf8(rustc.stdout).unwrap();
    let version: Vec<&str> = words.split_whitespace().take(2).collect();
    println!("cargo::rustc-env=PEER_RUSTC={}", version.join(" "));
    println!("cargo::rerun-if-changed=Cargo.lock");
}
