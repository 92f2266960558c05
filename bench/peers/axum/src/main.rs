//! A server with axum on Tokio's current-thread runtime; for `database` with tokio-postgres: peer_axum PORT [KIND]

use std::error::Error;
use std::net::Ipv4Addr;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_postgres::{Client, NoTls};

/// Opens the connections of the pool.
struct Connections(tokio_postgres::Config);

impl managed::Manager for Connections {
    type Type = Client;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.0.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn recycle(&self, client: &mut Client, _: &Metrics) -> RecycleResult<tokio_postgres::Error> {
        if client.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        Ok(())
    }
}

type Pool = managed::Pool<Connections>;

#[derive(Serialize)]
struct Item {
    id: i64,
    name: String,
    price: f64,
}

async fn item(State(pool): State<Pool>, Path(id): Path<i64>) -> Result<Json<Item>, StatusCode> {
    let unavailable = |_| StatusCode::SERVICE_UNAVAILABLE;
    let client = pool.get().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let row = client.query_opt("SELECT id, name, price FROM items WHERE id = $1", &[&id]).await.map_err(unavailable)?;
    let row = row.ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(Item { id: row.get(0), name: row.get(1), price: row.get(2) }))
}

async fn serve(port: u16, kind: &str) -> Result<(), Box<dyn Error>> {
    let routes = if kind == "database" {
        let config = std::env::var("DATABASE_URL")?.parse()?;
        let pool = Pool::builder(Connections(config)).max_size(16).build()?;
        Router::new().route("/items/:id", get(item)).with_state(pool)
    } else {
        Router::new().route("/", get(|| async { "Hello, world!" }))
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    axum::serve(listener, routes).tcp_nodelay(true).await?;
    Ok(())
}

/// axum's, of this build.
fn version() -> &'static str {
    let of_axum = include_str!("../Cargo.lock").split("name = \"axum\"\nversion = \"").nth(1);
    of_axum.and_then(|rest| rest.split('"').next()).unwrap_or("unknown")
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() == 2 && arguments[1] == "--version" {
        println!("{}", version());
        return Ok(());
    }
    let kind = arguments.get(2).map_or("http", String::as_str);
    let port = match arguments.get(1).map(|text| text.parse::<u16>()) {
        Some(Ok(port)) if arguments.len() <= 3 && ["http", "database"].contains(&kind) => port,
        _ => {
            eprintln!("usage: peer_axum PORT [http | database]");
            std::process::exit(2);
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(port, kind))
}
