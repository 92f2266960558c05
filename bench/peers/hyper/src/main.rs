//! A server of hyper on Tokio's current-thread runtime that answers everything with a fixed text: peer_hyper PORT

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

async fn hello(_: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = Response::builder().header(CONTENT_TYPE, "text/plain").body(Full::new(Bytes::from_static(b"Hello, world!")));
    Ok(answer.expect("the head is right"))
}

async fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // A client that leaves is no error here.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello)).await;
        });
    }
}

/// hyper's, of this build.
fn version() -> &'static str {
    let of_hyper = include_str!("../Cargo.lock").split("name = \"hyper\"\nversion = \"").nth(1);
    of_hyper.and_then(|rest| rest.split('"').next()).unwrap_or("unknown")
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() == 2 && arguments[1] == "--version" {
        println!("{}", version());
        return Ok(());
    }
    let port = match arguments.get(1).map(|text| text.parse::<u16>()) {
        Some(Ok(port)) if arguments.len() == 2 => port,
        _ => {
            eprintln!("usage: peer_hyper PORT");
            std::process::exit(2);
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(serve(port))
}
