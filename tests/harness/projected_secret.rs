//! A Secret as the kubelet mounts it: the files are links through one link, `..data`, which a change replaces in
//! one step.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::certificates::Leaf;

/// The mounted folder of a TLS Secret.
pub struct ProjectedSecret {
    folder: PathBuf,
    revision: AtomicUsize,
}

impl ProjectedSecret {
    /// Mounts it.
    pub fn mount(folder: PathBuf, leaf: &Leaf) -> Self {
        fs::create_dir_all(&folder).expect("a folder");
        let mounted = Self { folder, revision: AtomicUsize::new(0) };
        mounted.update(leaf);
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), mounted.folder.join(name)).expect("a link");
        }
        mounted
    }

    /// What the kubelet does when the Secret has changed.
    pub fn update(&self, leaf: &Leaf) {
        let revision = format!("..revision-{}", self.revision.fetch_add(1, Ordering::Relaxed));
        let data = self.folder.join(&revision);
        fs::create_dir(&data).expect("a folder");
        fs::write(data.join("tls.crt"), &leaf.certificate).expect("a file");
        fs::write(data.join("tls.key"), &leaf.key).expect("a file");
        let (new, current) = (self.folder.join("..data_tmp"), self.folder.join("..data"));
        let old = fs::read_link(&current);
        symlink(&revision, &new).expect("a link");
        fs::rename(new, current).expect("a link in place of another");
        if let Ok(old) = old {
            fs::remove_dir_all(self.folder.join(old)).expect("the former revision");
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
