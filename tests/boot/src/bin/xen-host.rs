//! Makes what QEMU starts a Xen host from whose guest is the image on its first disk, for the benchmark of hypervisors:
//! `xen-host FOLDER MAC UUID` puts the files into FOLDER, and QEMU's arguments, one a line, into FOLDER/arguments.
#![allow(clippy::print_stderr, reason = "it says how it is used")]

use std::path::{Path, absolute};
use std::process::ExitCode;

use weir_boot_tests::xen::{Boot, Guest, Loader};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, mac, uuid] = &arguments[..] else {
        eprintln!("usage: xen-host FOLDER MAC UUID");
        return ExitCode::from(2);
    };
    let guest = Guest { has_disk: true, loader: &Loader::Grub, config: None, mac, uuid: Some(uuid) };
    let folder = absolute(Path::new(folder)).expect("there is a working directory");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let Boot { hypervisor, modules, words } = Boot::write(&folder, &guest);
    let list = format!("-kernel\n{}\n-initrd\n{modules}\n-append\n{words}\n", hypervisor.display());
    std::fs::write(folder.join("arguments"), list).expect("the folder takes files");
    ExitCode::SUCCESS
}
