//! The second step: adds the position of each published event in the stream, and drops the table that identified the stream.

use sea_orm::{
    DbErr,
    sea_query::{Query, Table},
};

use super::{MigrationTrait, SchemaManager, TableIndex, index, optional_large};

const POSITION: TableIndex = index("outbox_stream_position", "outbox", &["stream_position"]);

pub(super) struct StreamPosition;

#[async_trait::async_trait]
impl MigrationTrait for StreamPosition {
    fn name(&self) -> &str {
        "m0002_stream_position"
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // MySQL commits each statement by itself: a step that was interrupted is continued.
        if !manager.has_column("outbox", "stream_position").await? {
            let column = optional_large("stream_position");
            manager.alter_table(Table::alter().table("outbox").add_column(column).to_owned()).await?;
        }
        if !manager.has_index("outbox", POSITION.name).await? {
            manager.create_index(POSITION.statement()).await?;
        }
        // The positions of events that were published before are unknown. So they are published again: the bus or, after some time,
        // every inbox skips them, and their positions become known.
        let unpublished = Query::update()
            .table("outbox")
            .value("publish_time", Option::<i64>::None)
            .value("next_attempt_time", 0_i64)
            .to_owned();
        manager.exec_stmt(unpublished).await?;
        manager.drop_table(Table::drop().table("relay").if_exists().to_owned()).await
    }
}
