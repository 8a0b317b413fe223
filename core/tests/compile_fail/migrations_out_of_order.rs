use rivetgun::prelude::*;

mod m20261121_000001_create_entries {
    use rivetgun::migration::*;

    #[derive(DeriveMigrationName)]
    pub struct Migration;

    #[async_trait::async_trait]
    impl MigrationTrait for Migration {
        async fn up(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
            Ok(())
        }
    }
}

mod m20261122_000001_add_level {
    use rivetgun::migration::*;

    #[derive(DeriveMigrationName)]
    pub struct Migration;

    #[async_trait::async_trait]
    impl MigrationTrait for Migration {
        async fn up(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
            Ok(())
        }
    }
}

fn list() -> Migrations {
    migrations![m20261122_000001_add_level, m20261121_000001_create_entries]
}

fn main() {
    let _ = list();
}
