//! Reading while the kubelet swaps.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Enough that some swaps fall between the two reads.
const SWAPS: usize = 5_000;

#[test]
fn both_files_are_of_one_revision_however_often_the_folder_is_swapped() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    for revision in ["one", "two"] {
        fs::create_dir(folder.join(revision)).unwrap();
        for file in [CERTIFICATE_FILE, KEY_FILE] {
            fs::write(folder.join(revision).join(file), revision).unwrap();
        }
    }
    symlink("one", folder.join("..data")).unwrap();
    for file in [CERTIFICATE_FILE, KEY_FILE] {
        symlink(Path::new("..data").join(file), folder.join(file)).unwrap();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for swap in 0..SWAPS {
                symlink(["one", "two"][swap % 2], folder.join("..data_tmp")).unwrap();
                fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            let files = PairFiles::read(folder).unwrap();
            assert_eq!(files.certificate, files.key, "a torn pair");
        }
    });
}
