//! The one HTTP endpoint: a small bounded server for pages that are read, never written.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::env::{TaskKind, Tasks};

/// Connections open at once; further ones wait in the kernel.
const CONNECTIONS_MAX: usize = 64;

/// A request's head must arrive in this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection lives this long, idle or not. Prometheus comes back after 15 to 60 s and connects again.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);

/// Connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 128;

/// Pause after a failed `accept` (no file descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// 200, 503, ...
    pub status: u16,
    /// Media type.
    pub content_type: &'static str,
    /// The text.
    pub body: String,
}

impl Page {
    /// Media type of plain text.
    pub const TEXT: &'static str = "text/plain; charset=utf-8";
    /// Media type of JSON.
    pub const JSON: &'static str = "application/json";
    /// Media type of the Prometheus text format.
    pub const METRICS: &'static str = "text/plain; version=0.0.4; charset=utf-8";
}

/// A page that is being made.
pub type Making<'a> = Pin<Box<dyn Future<Output = Option<Page>> + Send + 'a>>;

/// Who has the pages.
pub trait Pages: Send + Sync + 'static {
    /// The page under `path`; none when there is no such page.
    fn page<'a>(&'a self, path: &'a str) -> Making<'a>;
}

/// The running endpoint; it ends with the tasks it was started under.
pub struct Server {
    address: SocketAddr,
}

impl Server {
    /// Binds `address` (port 0 takes a free one) and serves `pages` until `tasks` is cancelled.
    ///
    /// # Errors
    /// The operating system's, when the address cannot be had.
    pub fn start(address: SocketAddr, pages: Arc<dyn Pages>, tasks: &Tasks) -> io::Result<Server> {
        let listener = bind(address)?;
        let address = listener.local_addr()?;
        let owner: Arc<str> = "http".into();
        drop(tasks.spawn(TaskKind::Http, &owner, accept(listener, pages, tasks.clone(), Arc::clone(&owner))));
        tracing::info!(%address, "http listening");
        Ok(Server { address })
    }

    /// The address with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(listener: TcpListener, pages: Arc<dyn Pages>, tasks: Tasks, owner: Arc<str>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = tasks.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve(stream, Arc::clone(&pages), tasks.clone(), place);
                drop(tasks.spawn(TaskKind::Http, &owner, connection));
            }
            Err(error) => {
                tracing::warn!(%error, "http connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, pages: Arc<dyn Pages>, tasks: Tasks, _place: OwnedSemaphorePermit) {
    let service = service_fn(move |request: Request<Incoming>| {
        let pages = Arc::clone(&pages);
        async move { Ok::<_, Infallible>(answer(&*pages, request.method(), request.uri().path()).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // Errors are the peer's: it went away or did not speak HTTP.
    tokio::select! {
        () = tasks.cancelled() => {}
        ended = tokio::time::timeout(CONNECTION_TIMEOUT, connection) => {
            if let Ok(Err(error)) = ended {
                tracing::debug!(%error, "http connection ended");
            }
        }
    }
}

async fn answer(pages: &dyn Pages, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let page = if method == Method::GET || method == Method::HEAD {
        pages.page(path).await.unwrap_or_else(|| Page {
            status: 404,
            content_type: Page::TEXT,
            body: "no such page; / lists them\n".to_owned(),
        })
    } else {
        Page { status: 405, content_type: Page::TEXT, body: "pages are only read\n".to_owned() }
    };
    let mut response = Response::new(Full::new(Bytes::from(page.body)));
    *response.status_mut() = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    if page.status == 405 {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
