//! What kubectl prints.

use serde_json::json;

use crate::scene::Scene;

/// The lines that kubectl prints, each with its columns parted by one blank, and ages as `AGE`.
fn columns(printed: &str) -> Vec<String> {
    let is_age = |word: &str| {
        word.ends_with(['s', 'm']) && word.starts_with(|character: char| character.is_ascii_digit())
    };
    let line = |line: &str| {
        let words = line.split_whitespace().map(|word| if is_age(word) { "AGE" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    printed.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_get_regcred_tells_how_it_stands() {
    let scene = Scene::set("printed").await;
    scene.namespace("printed").await;
    scene.offer(json!({"distribution": "Eager"})).await;
    scene.wait_for("SourceValid=False").await;
    let name = &scene.name;
    let printed = columns(&scene.kubectl(&["get", "regcred", name]).await);
    let header = "NAME REGISTRIES SYNCED READY REASON LAST ROTATION AGE";
    assert_eq!(printed, [header.to_owned(), format!("{name} 0/1 False SecretMissing AGE")]);

    scene.bring_source(&["a.example", "b.example", "c.example"]).await;
    scene.wait_for("Synced").await;
    let printed = columns(&scene.kubectl(&["get", "regcred", name]).await);
    let row = format!("{name} a.example,b.example,+1 1/1 True AllCurrent AGE");
    assert_eq!(printed, [header.to_owned(), row]);

    scene.bring_source(&["a.example"]).await;
    scene.until("rotated", |status| !status["lastRotation"].is_null()).await;
    let printed = columns(&scene.kubectl(&["get", "regcred", name, "-o", "wide"]).await);
    assert_eq!(printed[0], format!("{header} NAMESPACE SECRET MESSAGE"));
    let source = scene.source().replace('/', " ");
    let row =
        format!("{name} a.example 1/1 True AllCurrent AGE AGE {source} 1 copy holds what the source holds");
    assert_eq!(printed[1], row);
}
