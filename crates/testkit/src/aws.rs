//! A small EC2 and S3 for the real `aws` client: the wire formats of the calls that images need, with every
//! answer that the service has for them. Images are kept by their client token, as the service does.

mod http;

use http::Request;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What becomes of an image when it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Pending,
    Available,
    /// With the service's message.
    Failed(String),
    Unavailable,
    /// `InvalidFpgaImageID.NotFound`.
    Unknown,
    /// Every question gets this error: `RequestExpired`, `UnauthorizedOperation`, `RequestLimitExceeded`.
    Error(String),
    /// No answer until the fate changes.
    Hang,
}

/// An image as the service has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub afi: String,
    pub agfi: String,
    pub token: String,
    /// `BUCKET/KEY` of what it is made of.
    pub input: String,
}

#[derive(Debug, Default)]
struct State {
    images: Vec<Image>,
    objects: BTreeMap<String, Vec<u8>>,
    fate: Option<Fate>,
    /// Answers to the questions before those of the fate: throttling that passes.
    errors_first: Vec<String>,
    /// How often an image was asked for, and its state.
    creates: usize,
    describes: usize,
    over: bool,
}

/// The endpoint, until it is dropped.
#[derive(Debug)]
pub struct Aws {
    shared: Arc<(Mutex<State>, Condvar)>,
    address: SocketAddr,
    serving: Option<std::thread::JoinHandle<()>>,
}

/// What this server calls its threads; a hanging one is let go when the endpoint is dropped.
const HANG: Duration = Duration::from_secs(600);

impl Aws {
    /// Serves on a free port of this machine; images stay pending until another fate is set.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let service = shared.clone();
        let serving = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if lock(&service).over {
                    return;
                }
                let (Ok(stream), service) = (stream, service.clone()) else {
                    continue;
                };
                std::thread::spawn(move || http::serve(stream, |request| answer(&service, request)));
            }
        });
        Self {
            shared,
            address,
            serving: Some(serving),
        }
    }

    /// What the client needs to know, for a worker's environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let url = format!("http://{}", self.address);
        [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    pub fn fate(&self, fate: Fate) {
        self.lock().fate = Some(fate);
        self.shared.1.notify_all();
    }

    /// These errors first, one for each question, then the fate.
    pub fn errors_first(&self, codes: &[&str]) {
        self.lock().errors_first = codes.iter().rev().map(|&code| code.to_owned()).collect();
    }

    pub fn images(&self) -> Vec<Image> {
        self.lock().images.clone()
    }

    /// How often an image was asked for.
    pub fn creates(&self) -> usize {
        self.lock().creates
    }

    /// How often the state of an image was asked for.
    pub fn describes(&self) -> usize {
        self.lock().describes
    }

    /// `BUCKET/KEY` → content.
    pub fn object(&self, path: &str) -> Option<Vec<u8>> {
        self.lock().objects.get(path).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.shared)
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.lock().over = true;
        self.shared.1.notify_all();
        // The listener looks up once more.
        drop(std::net::TcpStream::connect(self.address));
        if let Some(serving) = self.serving.take() {
            drop(serving.join());
        }
    }
}

fn lock(shared: &(Mutex<State>, Condvar)) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Status and body.
fn answer(shared: &(Mutex<State>, Condvar), request: Request) -> (u16, String) {
    match request.form.get("Action").map(String::as_str) {
        Some("CreateFpgaImage") => create(&mut lock(shared), &request.form),
        Some("DescribeFpgaImages") => describe(shared, &request.form),
        Some(other) => error("InvalidAction", &format!("The action {other} is not valid")),
        None => store(&mut lock(shared), request),
    }
}

fn store(state: &mut State, request: Request) -> (u16, String) {
    let path = request.path.trim_start_matches('/').to_owned();
    match request.method.as_str() {
        "PUT" => {
            state.objects.insert(path, request.body);
            (200, String::new())
        }
        "HEAD" if state.objects.contains_key(&path) => (200, String::new()),
        _ => (404, String::new()),
    }
}

fn create(state: &mut State, form: &BTreeMap<String, String>) -> (u16, String) {
    state.creates += 1;
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    if let Some(Fate::Error(code)) = &state.fate {
        return error(code, "as the test wants it");
    }
    let input = format!(
        "{}/{}",
        field("InputStorageLocation.Bucket"),
        field("InputStorageLocation.Key")
    );
    if !state.objects.contains_key(&input) {
        return error("InvalidParameterValue", &format!("{input} is not accessible"));
    }
    let token = field("ClientToken");
    let known = state
        .images
        .iter()
        .find(|image| !token.is_empty() && image.token == token);
    let image = match known {
        Some(image) if image.input != input => {
            return error(
                "IdempotentParameterMismatch",
                "the token was used with other parameters",
            );
        }
        Some(image) => image.clone(),
        None => {
            let number = state.images.len() + 1;
            let image = Image {
                afi: format!("afi-{number:017x}"),
                agfi: format!("agfi-{number:017x}"),
                token,
                input,
            };
            state.images.push(image.clone());
            image
        }
    };
    let body = format!(
        "<fpgaImageId>{}</fpgaImageId><fpgaImageGlobalId>{}</fpgaImageGlobalId>",
        image.afi, image.agfi
    );
    (200, response("CreateFpgaImage", &body))
}

fn describe(shared: &(Mutex<State>, Condvar), form: &BTreeMap<String, String>) -> (u16, String) {
    let mut state = lock(shared);
    state.describes += 1;
    let id = form.get("FpgaImageId.1").cloned().unwrap_or_default();
    let found = state.images.iter().find(|image| image.afi == id).cloned();
    let Some(image) = found else {
        return not_found(&id);
    };
    if let Some(code) = state.errors_first.pop() {
        return error(&code, "as the test wants it");
    }
    let waits = |state: &mut State| state.fate == Some(Fate::Hang) && !state.over;
    let (state, _) = shared
        .1
        .wait_timeout_while(state, HANG, waits)
        .unwrap_or_else(PoisonError::into_inner);
    let (code, message) = match state.fate.clone().unwrap_or(Fate::Pending) {
        Fate::Pending | Fate::Hang => ("pending", String::new()),
        Fate::Available => ("available", String::new()),
        Fate::Unavailable => ("unavailable", String::new()),
        Fate::Failed(message) => ("failed", message),
        Fate::Unknown => return not_found(&id),
        Fate::Error(code) => return error(&code, "as the test wants it"),
    };
    let body = format!(
        "<fpgaImageSet><item><fpgaImageId>{}</fpgaImageId><fpgaImageGlobalId>{}</fpgaImageGlobalId><state><code>{code}\
         </code>{}</state></item></fpgaImageSet>",
        image.afi,
        image.agfi,
        if message.is_empty() {
            String::new()
        } else {
            format!("<message>{message}</message>")
        }
    );
    (200, response("DescribeFpgaImages", &body))
}

fn not_found(id: &str) -> (u16, String) {
    error(
        "InvalidFpgaImageID.NotFound",
        &format!("The fpgaImage ID '{id}' does not exist"),
    )
}

fn response(action: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>0</requestId>{body}</{action}Response>"
    )
}

fn error(code: &str, message: &str) -> (u16, String) {
    let status = if code == "RequestLimitExceeded" { 503 } else { 400 };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>\
         </Error></Errors><RequestID>0</RequestID></Response>"
    );
    (status, body)
}

/// The real client, which `tools/install-tools test` installs.
pub fn client() -> PathBuf {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/awscli/bin");
    let folder = root.canonicalize().unwrap_or(root);
    assert!(
        folder.join("aws").is_file(),
        "there is no aws client in {}: run tools/install-tools test",
        folder.display()
    );
    folder
}

/// How a connection ends does not matter to a test; what was answered does.
fn ended(_: io::Result<()>) {}
