//! Makes the file systems that the partitions hold: the ESP's FAT32, the slots' and STATE's ext4.
//!
//! Invariant: identities, times and owners are fixed, so that the same files give the same bytes. All work on ordinary
//! files; nothing is mounted.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use crate::grub;
use crate::layout::{ESP, ESP_SERIAL, HASH_SEED, Partition, SLOT_A, SLOT_UUID, STATE, STATE_UUID};
use crate::tools::Tools;

/// A file in a file system to be made.
pub(crate) struct Content<'a> {
    /// Without a leading `/`.
    pub(crate) path: &'a str,
    pub(crate) bytes: &'a [u8],
}

/// Makes file systems in `work`.
pub(crate) struct Maker<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) work: &'a Path,
}

impl Maker<'_> {
    /// The ESP: shim where every firmware looks, GRUB beside it, and for all the one configuration.
    pub(crate) fn esp(&self) -> anyhow::Result<PathBuf> {
        let packages = self.tools.root();
        let read = |path: &str| {
            fs::read(packages.join(path)).with_context(|| format!("Debian's packages lack {path}"))
        };
        let shim = read("usr/lib/shim/shimx64.efi.signed")?;
        let signed_grub = read("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed")?;
        let environment = grub::fresh_environment();
        let redirection = grub::REDIRECTION.as_bytes();
        let contents = [
            Content { path: "EFI/BOOT/BOOTX64.EFI", bytes: &shim },
            Content { path: "EFI/BOOT/grubx64.efi", bytes: &signed_grub },
            // Debian's GRUB was built to look there.
            Content { path: "EFI/debian/grub.cfg", bytes: redirection },
            // Xen's pvgrub looks there.
            Content { path: "boot/grub/grub.cfg", bytes: redirection },
            Content { path: "grub/grub.cfg", bytes: grub::CONFIGURATION.as_bytes() },
            Content { path: "grub/grubenv", bytes: &environment },
        ];
        self.fat32(&ESP, &contents)
    }

    /// A slot: both slots hold the same bytes.
    pub(crate) fn slot(&self, contents: &[Content<'_>]) -> anyhow::Result<PathBuf> {
        // Only ever read: a journal would be dead weight. GRUB 2.06, that older Xen hosts bring, knows neither of the
        // others.
        let features = "^has_journal,^metadata_csum_seed,^orphan_file,^resize_inode";
        self.ext4(&SLOT_A, "slot", SLOT_UUID, &["-O", features, "-b", "4096", "-N", "64"], contents)
    }

    /// An empty STATE. resize2fs can make it up to 1024 times as large; nothing on board does.
    pub(crate) fn state(&self) -> anyhow::Result<PathBuf> {
        self.ext4(&STATE, "state", STATE_UUID, &["-b", "4096", "-N", "4096", "-J", "size=8"], &[])
    }

    fn fat32(&self, partition: &Partition, contents: &[Content<'_>]) -> anyhow::Result<PathBuf> {
        let image = self.empty_image(partition, "esp.img")?;
        let mtools = |program: &str, arguments: &[&OsStr]| {
            let image = ["-i".as_ref(), image.as_os_str()];
            self.tools.run(program, &[&image[..], arguments].concat())
        };
        let start = partition.start * 2048;
        let format = ["-F", "-v", partition.name, "-N", ESP_SERIAL, "-H", &start.to_string(), "::"];
        mtools("usr/bin/mformat", &format.map(OsStr::new))?;
        let staging = self.staging("esp", contents)?;
        let mut made = Vec::new();
        for content in contents {
            for (end, _) in content.path.match_indices('/') {
                let folder = format!("::/{}", &content.path[..end]);
                if !made.contains(&folder) {
                    mtools("usr/bin/mmd", &[folder.as_ref()])?;
                    made.push(folder);
                }
            }
            let (from, to) = (staging.join(content.path), format!("::/{}", content.path));
            mtools("usr/bin/mcopy", &["-m".as_ref(), from.as_os_str(), to.as_ref()])?;
        }
        Ok(image)
    }

    fn ext4(
        &self,
        partition: &Partition,
        name: &str,
        uuid: &str,
        options: &[&str],
        contents: &[Content<'_>],
    ) -> anyhow::Result<PathBuf> {
        let image = self.empty_image(partition, &format!("{name}.img"))?;
        let staging = self.staging(name, contents)?;
        let extended =
            format!("hash_seed={HASH_SEED},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard");
        let mut arguments: Vec<&OsStr> =
            ["-q", "-t", "ext4", "-m", "0", "-U", uuid, "-E", &extended].map(OsStr::new).to_vec();
        arguments.extend(options.iter().map(OsStr::new));
        arguments.extend(["-d".as_ref(), staging.as_os_str(), image.as_os_str()]);
        self.tools.run("usr/sbin/mke2fs", &arguments)?;
        self.give_to_root(&image, contents)?;
        Ok(image)
    }

    /// mke2fs leaves files with whoever builds the image.
    fn give_to_root(&self, image: &Path, contents: &[Content<'_>]) -> anyhow::Result<()> {
        if contents.is_empty() {
            return Ok(());
        }
        let fields = |content: &Content<'_>| {
            ["uid", "gid"].map(|field| format!("set_inode_field /{} {field} 0\n", content.path)).concat()
        };
        let commands: String = contents.iter().map(fields).collect();
        let arguments = ["-w".as_ref(), "-f".as_ref(), "/dev/stdin".as_ref(), image.as_os_str()];
        self.tools.run_with_input("usr/sbin/debugfs", &arguments, commands.as_bytes())?;
        Ok(())
    }

    fn empty_image(&self, partition: &Partition, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.work.join(name);
        let file = File::create(&path).with_context(|| format!("can't make {}", path.display()))?;
        file.set_len(partition.bytes()).with_context(|| format!("can't make {}", path.display()))?;
        Ok(path)
    }

    /// A folder with these files, all of one time, and readable to all whatever the builder's umask is.
    fn staging(&self, name: &str, contents: &[Content<'_>]) -> anyhow::Result<PathBuf> {
        let folder = self.work.join(format!("{name}.content"));
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.tools.epoch());
        fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        for content in contents {
            let path = folder.join(content.path);
            fs::create_dir_all(path.parent().unwrap_or(&folder))
                .context("can't make a folder of a file system")?;
            fs::write(&path, content.bytes).with_context(|| format!("can't write {}", path.display()))?;
            let file = File::options().write(true).open(&path)?;
            file.set_permissions(Permissions::from_mode(0o644))
                .and_then(|()| file.set_modified(time))
                .with_context(|| format!("can't set the time of {}", path.display()))?;
        }
        let root = File::open(&folder).context("can't open a file system's folder")?;
        root.set_permissions(Permissions::from_mode(0o755))
            .and_then(|()| root.set_modified(time))
            .context("can't set the time of a folder")?;
        Ok(folder)
    }
}
