//! Certificate authorities of single registries, where Docker's engine looks for them too.

use std::path::PathBuf;

use reqwest::Certificate;

/// The folders in which an engine finds `HOST:PORT/*.crt`: the system's, and a rootless one's.
pub(super) fn usual_folders() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/etc/docker/certs.d")];
    let own = std::env::var_os("XDG_CONFIG_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    folders.extend(own.map(|own| own.join("docker/certs.d")));
    folders
}

/// The authorities that `host` (`registry.example:5000`) is trusted by beside the system's. An
/// error names the file; a registry is never asked with less trust than was configured.
pub(super) fn authorities_for(folders: &[PathBuf], host: &str) -> Result<Vec<Certificate>, String> {
    let mut found = Vec::new();
    for folder in folders.iter().map(|folder| folder.join(host)) {
        let Ok(entries) = fs_err::read_dir(&folder) else {
            // There is none for most registries, and one that we may not read the engine may.
            continue;
        };
        for entry in entries {
            let file = entry.map_err(|error| error.to_string())?.path();
            if file.extension().is_none_or(|extension| extension != "crt") {
                continue;
            }
            let text = fs_err::read(&file).map_err(|error| error.to_string())?;
            let certificates = Certificate::from_pem_bundle(&text)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| format!("{} holds no certificate", file.display()))?;
            found.extend(certificates);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_counts_for_its_registry_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("registry.example:5000");
        fs_err::create_dir(&own).expect("a folder");
        fs_err::write(own.join("ca.crt"), AUTHORITY).expect("written");
        fs_err::write(own.join("client.key"), "not read").expect("written");
        let folders = [folder.path().to_owned(), folder.path().join("absent")];
        let count = |host| authorities_for(&folders, host).map(|found| found.len());
        assert_eq!(count("registry.example:5000"), Ok(1));
        assert_eq!(count("registry.example"), Ok(0));
    }

    #[test]
    fn a_file_that_is_no_certificate_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        fs_err::create_dir(folder.path().join("r")).expect("a folder");
        fs_err::write(folder.path().join("r/ca.crt"), "rubbish").expect("written");
        let error = authorities_for(&[folder.path().to_owned()], "r").expect_err("rubbish");
        assert!(error.ends_with("r/ca.crt holds no certificate"), "{error}");
    }

    const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUBotehakuRIX+hIkZ9x9CioFaghUwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjEwMjI4MjBaGA8yMTI2MTAyODAyMjgy
MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIiP
2z2ddTZfaRGkUc5Y4hTszK+tpqs0fwTMi6xyUAQCk8iNY8OR0Tiow6TqxRujXrMf
LZifUWdogetyHhblQnmjUzBRMB0GA1UdDgQWBBTnfVbAcwie7fAYh1wgA0MIycSf
hDAfBgNVHSMEGDAWgBTnfVbAcwie7fAYh1wgA0MIycSfhDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCICe3cUakPRZbZzNty3nbyeYtJdb+WH3Kp53P
qXyBi6lEAiEArVVv2cQ/i4QUmEas2cJHZ8V754FGTK2ARvG2Cpo18dE=
-----END CERTIFICATE-----
";
}
