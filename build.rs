//! Compiles everything under `proto/` to Rust and to one descriptor set, with protox: the user's
//! machine needs no protoc.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut files = Vec::new();
    find_protos(Path::new("proto"), &mut files)?;
    // Folders are listed in any order; what is built from them must not depend on it.
    files.sort();

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;

    // As protox encodes it: prost's own types would drop the options that are extensions, which
    // are the HTTP routes, the field behaviours and the visibilities.
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out_dir.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    fs::write(out_dir.join("packages.rs"), packages(Path::new("proto/jumak"))?)?;

    let mut prost = tonic_prost_build::Config::new();
    // Each message knows its full name, which is the type of an event.
    prost.enable_type_names();
    // Google's comments hold indented examples that rustdoc would run as Rust.
    prost.disable_comments([".google"]);
    tonic_prost_build::configure().compile_fds_with_config(compiler.file_descriptor_set(), prost)?;
    Ok(())
}

/// The packages `jumak.*` as modules, nested as in proto because the generated code refers to them by path. One whose name is a keyword
/// is called otherwise outside.
fn packages(folder: &Path) -> Result<String, Box<dyn Error>> {
    let (mut modules, mut names) = (String::new(), Vec::new());
    for name in folders(folder)? {
        let module = if name == "type" { "r#type".to_owned() } else { name.clone() };
        modules += &format!("    /// The packages `jumak.{name}.*`.\n    pub mod {module} {{\n");
        for version in folders(&folder.join(&name))? {
            let package = format!("jumak.{module}.{version}");
            modules += &format!(
                "        /// The package `jumak.{name}.{version}`.\n        #[allow(missing_docs, clippy::all, reason = \"generated\")]\n        \
                 pub mod {version} {{\n            tonic::include_proto!(\"{package}\");\n        }}\n"
            );
        }
        modules += "    }\n";
        names.push(if name == "type" { "r#type as types".to_owned() } else { module });
    }
    Ok(format!("pub use jumak::{{{}}};\n\nmod jumak {{\n{modules}}}\n", names.join(", ")))
}

fn folders(parent: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn find_protos(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_protos(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
