//! The second step: where each published event is in the stream. With it the table goes that said which stream it was.

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
        // MySQL commits each statement by itself: a step that was cut off is carried on with.
        if !manager.has_column("outbox", "stream_position").await? {
            let column = optional_large("stream_position");
            manager.alter_table(Table::alter().table("outbox").add_column(column).to_owned()).await?;
        }
        if !manager.has_index("outbox", POSITION.name).await? {
            manager.create_index(POSITION.statement()).await?;
        }
        // Nobody knows where the events are that were published before. Published again they are passed over by the bus or, after
        // some time, by every inbox; and their positions are known.
        let unpublished = Query::update()
            .table("outbox")
            .value("publish_time", Option::<i64>::None)
            .value("next_attempt_time", 0_i64)
            .to_owned();
        manager.exec_stmt(unpublished).await?;
        manager.drop_table(Table::drop().table("relay").if_exists().to_owned()).await
    }
}
