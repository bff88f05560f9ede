//! Finds java, mvn and go, and builds the programs once per content under the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Class paths of the built Java programs.
pub struct Java {
    pub client_5_5_0: String,
    pub client_4_9_8: String,
    pub server_5_5_0: String,
}

/// The Java programs, or `None` where java or mvn are missing.
pub fn java() -> Option<&'static Java> {
    static JAVA: OnceLock<Option<Java>> = OnceLock::new();
    JAVA.get_or_init(|| (present("java", "-version") && present("mvn", "-v")).then(build_java)).as_ref()
}

/// The Go program, or `None` where go is missing.
pub fn go() -> Option<&'static Path> {
    static GO: OnceLock<Option<PathBuf>> = OnceLock::new();
    GO.get_or_init(|| present("go", "version").then(build_go)).as_deref()
}

fn present(tool: &str, version: &str) -> bool {
    let found = Command::new(tool).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let present = found.is_ok_and(|status| status.success());
    if !present {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs {tool} for the interop tests");
        eprintln!("SKIPPED: {tool} is not installed, nothing was tested against stock clients");
    }
    present
}

fn build_java() -> Java {
    let build = built("java", |source, build| {
        let mut mvn = Command::new("mvn");
        mvn.args(["-B", "-q", "process-classes"])
            .arg(format!("-Dinterop.build={}", build.display()))
            .current_dir(source);
        mvn
    });
    let class_path = |module: &str| {
        let module = build.join(module);
        let jars = fs::read_to_string(module.join("classpath")).expect("class path written by maven");
        format!("{}:{}", module.join("classes").display(), jars.trim())
    };
    Java {
        client_5_5_0: class_path("client-5.5.0"),
        client_4_9_8: class_path("client-4.9.8"),
        server_5_5_0: class_path("server-5.5.0"),
    }
}

fn build_go() -> PathBuf {
    let build = built("go", |source, build| {
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(build.join("interop")).arg(".").current_dir(source);
        go
    });
    build.join("interop")
}

/// Runs the build command unless a build of exactly these sources exists. Returns the directory of the build.
fn built(language: &str, command: impl FnOnce(&Path, &Path) -> Command) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(language);
    let mut hash = crc32fast::Hasher::new();
    hash_files(&source, Path::new(""), &mut hash);
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("interop-{language}-{:08x}", hash.finalize()));
    let done = build.join("done");
    if !done.exists() {
        fs::create_dir_all(&build).unwrap();
        let output = command(&source, &build).output().expect("start the build");
        assert!(
            output.status.success(),
            "build of {}:\n{}{}",
            source.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        fs::write(done, "").unwrap();
    }
    build
}

/// Names relative to `source`, so that a copied checkout finds its build.
fn hash_files(source: &Path, folder: &Path, hash: &mut crc32fast::Hasher) {
    let mut names: Vec<PathBuf> = fs::read_dir(source.join(folder))
        .unwrap()
        .map(|entry| folder.join(entry.unwrap().file_name()))
        .filter(|name| !name.ends_with("target"))
        .collect();
    names.sort();
    for name in names {
        let path = source.join(&name);
        if path.is_dir() {
            hash_files(source, &name, hash);
        } else {
            hash.update(name.to_string_lossy().as_bytes());
            hash.update(&fs::read(&path).unwrap());
        }
    }
}
