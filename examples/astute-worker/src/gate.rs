//! A way to a broker that can be closed: to those behind it the broker is away then.

use crate::{RabbitMq, rabbitmq::free_ports};
use std::{
    io,
    net::Ipv4Addr,
    sync::{Mutex, PoisonError},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Forwards connections to a broker, from an address of its own, while it is open. It is closed at first.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    broker: u16,
    /// What forwards.
    open: Mutex<JoinSet<()>>,
}

impl Gate {
    /// # Errors
    /// When no port is free.
    pub fn to(broker: &RabbitMq) -> io::Result<Self> {
        let [port, ..] = free_ports()?;
        Ok(Self { port, broker: broker.port, open: Mutex::default() })
    }

    /// The URL of the broker behind it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Lets everybody through from now on.
    ///
    /// # Errors
    /// When somebody else listens at its address.
    pub async fn open(&self) -> io::Result<()> {
        let (listener, broker) = (TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?, self.broker);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                connections.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, broker)).await {
                        // How a connection ends is the affair of those who use it.
                        drop(copy_bidirectional(&mut client, &mut server).await);
                    }
                });
            }
        });
        Ok(())
    }

    /// Lets nobody through any more, and cuts off who is there.
    pub async fn close(&self) {
        let mut open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        open.shutdown().await;
    }
}
