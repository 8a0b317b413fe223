pub(super) async fn demo(
    _: crate::settings::Settings,
    _: std::net::SocketAddr,
    _: bool,
) -> Result<(), super::CliError> {
    Ok(())
}
