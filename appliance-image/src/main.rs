//! Builds the appliance's image from Debian's packages and the one binary: without root, without a loop device, and
//! with the same bytes for the same input.
//!
//! From the inside out: the kernel's modules ([`modules`]), the initramfs ([`initramfs`]), file systems
//! ([`filesystems`]), the disk ([`disk`]), and the formats that hypervisors take ([`formats`]). Programs of Debian do
//! what they do well (mke2fs, mtools, sfdisk, grub-mkimage); what none of them writes soundly or twice alike is
//! written here.

mod build;
mod cpio;
mod digest;
mod disk;
mod filesystems;
mod formats;
mod grub;
mod initramfs;
mod inventory;
mod kernel;
mod layout;
mod modules;
mod packages;
mod say;
mod state;
mod tools;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Builds the appliance's image.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the image in each format, what is needed to start the kernel directly, and what says what is in it
    Build(BuildArguments),
}

#[derive(clap::Args)]
struct BuildArguments {
    /// The binary; it is stripped for the image
    #[arg(long, value_name = "FILE")]
    weir: PathBuf,

    /// Where the files go; what is there already is replaced
    #[arg(long, value_name = "FOLDER", default_value = "dist")]
    out: PathBuf,

    /// Only these: ends of the files' names, as `qcow2`, `raw`, `raw.zst`, `vmlinuz` or `initramfs`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// How hard zstd tries to make the initramfs small; 3 is quick
    #[arg(long, default_value_t = 19, value_parser = clap::value_parser!(u32).range(1..=22))]
    level: u32,

    /// The time that everything in the image carries, in seconds since 1970
    #[arg(long, env = "SOURCE_DATE_EPOCH", default_value_t = 1_735_689_600)]
    epoch: u64,

    /// Where Debian's packages are kept
    #[arg(long, value_name = "FOLDER")]
    packages: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { command } = Arguments::parse();
    match command {
        Command::Build(arguments) => build::run(&arguments),
    }
}
