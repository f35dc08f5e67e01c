//! Certificates for a server on loopback, made by the openssl command line. They stand in its own directory, so that a
//! standby of PostgreSQL shares them with its primary. The keys of the authorities are thrown away: nothing else is ever signed.

use std::path::Path;
use std::process::Command;

use crate::account;
use crate::process;

/// The certificate of the authority that signed the server's.
pub(crate) const AUTHORITY: &str = "authority.crt";
/// That of one that did not.
pub(crate) const STRANGER: &str = "stranger.crt";

/// In days.
const TEN_YEARS: u16 = 3_650;

/// Not the system's settings, which differ. A client that checks properly takes no authority for a server.
const OPENSSL_SETTINGS: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
";

/// Puts `server.key` and `server.crt` of a server into its directory, and the certificates of the authorities.
pub(crate) fn certify(data: &Path) {
    certify_for(data, TEN_YEARS);
}

/// The same, of one that lives so many days from now: none, and it has ended as soon as it is there.
pub(crate) fn certify_for(data: &Path, days: u16) {
    let days = days.to_string();
    let workshop = tempfile::tempdir().unwrap();
    let settings = workshop.path().join("openssl.cnf");
    std::fs::write(&settings, OPENSSL_SETTINGS).unwrap();
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new(account::find("openssl", &[]));
        process::run(command.current_dir(workshop.path()).env("OPENSSL_CONF", &settings).args(arguments));
    };
    // Elliptic curves: a key is there in no time.
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    for (name, certificate) in [("authority", AUTHORITY), ("stranger", STRANGER)] {
        let (subject, secret) = (format!("/CN=calsync testbed {name}"), format!("{name}.key"));
        let request = ["req", "-x509", "-extensions", "authority", "-days", "3650", "-subj", &subject];
        openssl(&[&request[..], &key, &["-keyout", &secret, "-out", certificate]].concat());
    }
    openssl(
        &[&["req", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"][..], &key]
            .concat(),
    );
    let sign =
        ["x509", "-req", "-in", "server.csr", "-CA", AUTHORITY, "-CAkey", "authority.key", "-CAcreateserial"];
    let extend = ["-days", &days, "-extfile", "openssl.cnf", "-extensions", "server", "-out", "server.crt"];
    openssl(&[&sign[..], &extend].concat());

    for name in [AUTHORITY, STRANGER, "server.crt", "server.key"] {
        let made = std::fs::read_to_string(workshop.path().join(name)).unwrap();
        account::write(&data.join(name), &made);
    }
}
