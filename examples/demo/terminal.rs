//! How it looks on the terminal.

/// A heading.
pub(crate) fn title(text: &str) {
    println!("\n== {text}");
}

/// A remark.
pub(crate) fn say(text: &str) {
    println!("   {text}");
}

/// A command as a person would type it.
pub(crate) fn command(text: &str) {
    println!("\n   $ {text}");
}

/// What a command printed.
pub(crate) fn shown(stdout: &str, stderr: &str) {
    for line in stderr.lines().chain(stdout.lines()) {
        println!("   {line}");
    }
}
