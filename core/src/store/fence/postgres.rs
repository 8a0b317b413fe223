//! What the fence asks PostgreSQL: the catalogue, what depends on what, and whose rows this transaction wrote.
//!
//! The catalogue is compared row by row, as text: whatever a statement changes in it is seen, without a list of all
//! statements. Left out are columns that change by themselves (statistics, freezing), temporary objects, and what belongs
//! to an extension of the database.

use super::catalogue::{Catalogue, Object, Reference, RowCount};
use crate::store::{BUFFER, fault::code_of};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement};

/// Every relation with its root: the table of an index, the table whose column draws from a sequence, else itself.
const PLACES: &str = r"
WITH relation AS (
    SELECT c.oid, c.relnamespace, c.relname, c.relkind, coalesce(
        (SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = c.oid),
        (SELECT d.refobjid FROM pg_depend d WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass
            AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
            AND d.deptype IN ('a', 'i') LIMIT 1),
        c.oid) AS root
    FROM pg_class c
), place AS (
    SELECT r.oid, n.nspname AS schema, t.relname AS root, r.relname AS name,
        CASE r.relkind WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view' WHEN 'c' THEN 'type' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind
    FROM relation r JOIN pg_class t ON t.oid = r.root JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
)";

const OBJECTS: &str = r"
, object AS (
    SELECT 'pg_class'::regclass AS class, p.oid, p.schema, p.root, p.name, p.kind,
        concat_ws('|', c.relowner, c.relam, c.relfilenode, c.reltablespace, c.relpersistence, c.relkind,
            c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relispartition, c.relacl, c.reloptions,
            c.relpartbound,
            (SELECT string_agg(a::text, '|' ORDER BY attnum) FROM pg_attribute a WHERE attrelid = p.oid AND attnum > 0),
            (SELECT string_agg(a::text, '|' ORDER BY adnum) FROM pg_attrdef a WHERE adrelid = p.oid),
            (SELECT string_agg(a::text, '|' ORDER BY a.oid) FROM pg_constraint a WHERE conrelid = p.oid),
            (SELECT string_agg(a::text, '|' ORDER BY a.oid) FROM pg_policy a WHERE polrelid = p.oid),
            (SELECT string_agg(a::text, '|' ORDER BY a.oid) FROM pg_rewrite a
                WHERE ev_class = p.oid AND rulename = '_RETURN'),
            (SELECT a::text FROM pg_index a WHERE indexrelid = p.oid),
            (SELECT string_agg(a::text, '|' ORDER BY inhseqno) FROM pg_inherits a WHERE inhrelid = p.oid),
            (SELECT a::text FROM pg_sequence a WHERE seqrelid = p.oid)) AS definition
    FROM place p JOIN pg_class c ON c.oid = p.oid
  UNION ALL
    SELECT 'pg_trigger'::regclass, t.oid, p.schema, p.name, t.tgname, 'trigger', t::text
    FROM pg_trigger t JOIN place p ON p.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid, p.schema, p.name, w.rulename, 'rule', w::text
    FROM pg_rewrite w JOIN place p ON p.oid = w.ev_class WHERE w.rulename <> '_RETURN'
  UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid, p.schema, p.name, s.stxname, 'statistics object', s::text
    FROM pg_statistic_ext s JOIN place p ON p.oid = s.stxrelid
  UNION ALL
    SELECT 'pg_type'::regclass, t.oid, n.nspname, t.typname, t.typname, 'type', concat_ws('|', t::text,
        (SELECT string_agg(e::text, '|' ORDER BY e.oid) FROM pg_enum e WHERE enumtypid = t.oid),
        (SELECT string_agg(e::text, '|' ORDER BY e.oid) FROM pg_constraint e WHERE contypid = t.oid))
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typrelid = 0 AND NOT EXISTS (SELECT 1 FROM pg_type e WHERE e.typarray = t.oid)
  UNION ALL
    SELECT 'pg_proc'::regclass, f.oid, n.nspname, f.proname, f.proname, 'function', f::text
    FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
  UNION ALL
    SELECT 'pg_collation'::regclass, o.oid, n.nspname, o.collname, o.collname, 'collation', o::text
    FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace
)
SELECT class::text || oid::text AS key, schema = $1 AS at_home, root, name, kind,
    encode(sha256(convert_to(definition, 'UTF8')), 'hex') AS digest
FROM object
WHERE schema NOT LIKE 'pg\_%' AND schema <> 'information_schema' AND NOT EXISTS (
    SELECT 1 FROM pg_depend d WHERE d.classid = object.class AND d.objid = object.oid AND d.deptype = 'e')";

/// What never is one extension's: it holds for the whole database. The place stands for what a catalogue calls it.
const SHARED: [(&str, &str); 20] = [
    ("pg_namespace", "schema"),
    ("pg_extension", "extension of the database"),
    ("pg_event_trigger", "event trigger"),
    ("pg_publication", "publication"),
    ("pg_foreign_data_wrapper", "foreign-data wrapper"),
    ("pg_foreign_server", "foreign server"),
    ("pg_cast", "cast"),
    ("pg_language", "language"),
    ("pg_transform", "transform"),
    ("pg_operator", "operator"),
    ("pg_opclass", "operator class"),
    ("pg_opfamily", "operator family"),
    ("pg_conversion", "conversion"),
    ("pg_ts_config", "text search configuration"),
    ("pg_ts_dict", "text search dictionary"),
    ("pg_ts_parser", "text search parser"),
    ("pg_ts_template", "text search template"),
    ("pg_default_acl", "default privileges"),
    ("pg_am", "access method"),
    ("pg_largeobject_metadata", "large object"),
];

/// What holds for the database, and what decides whom and what the statements that follow mean.
const SETTINGS: &str = "
SELECT 'setting of the database' || setrole::text AS key, 'setting of the database' AS kind, setconfig::text AS name,
    setconfig::text AS digest
FROM pg_db_role_setting
WHERE setdatabase = 0 OR setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL SELECT 'setting ' || name, 'setting', name, setting
FROM pg_settings WHERE name IN ('search_path', 'track_counts', 'session_replication_role', 'row_security')
UNION ALL SELECT 'setting role', 'setting', 'role', current_user::text";

/// What one object needs of another, both outside of the system's own.
const REFERENCES: &str = r"
, named AS (
    SELECT 'pg_class'::regclass AS class, oid, root, name, kind FROM place
  UNION ALL
    SELECT 'pg_type'::regclass, t.oid, coalesce(p.root, e.typname, t.typname), coalesce(p.name, e.typname, t.typname),
        coalesce(p.kind, 'type')
    FROM pg_type t LEFT JOIN pg_type e ON e.typarray = t.oid
        LEFT JOIN place p ON p.oid IN (t.typrelid, e.typrelid)
    WHERE t.oid >= 16384 AND t.typnamespace IN (SELECT oid FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%')
  UNION ALL
    SELECT 'pg_proc'::regclass, oid, proname, proname, 'function' FROM pg_proc WHERE oid >= 16384
        AND pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%')
  UNION ALL
    SELECT 'pg_constraint'::regclass, c.oid, p.name, c.conname,
        CASE c.contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END
    FROM pg_constraint c JOIN place p ON p.oid = c.conrelid
  UNION ALL
    SELECT 'pg_trigger'::regclass, t.oid, p.name, t.tgname, 'trigger'
    FROM pg_trigger t JOIN place p ON p.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid, p.name, p.name, p.kind FROM pg_rewrite w JOIN place p ON p.oid = w.ev_class
  UNION ALL
    SELECT 'pg_attrdef'::regclass, a.oid, p.name, p.name, 'table'
    FROM pg_attrdef a JOIN place p ON p.oid = a.adrelid
  UNION ALL
    SELECT 'pg_policy'::regclass, o.oid, p.name, o.polname, 'policy' FROM pg_policy o JOIN place p ON p.oid = o.polrelid
)
SELECT DISTINCT a.kind, a.root, a.name, CASE WHEN b.root <> b.name THEN 'table' ELSE b.kind END AS to_kind,
    b.root AS to_root
FROM pg_depend d
    JOIN named a ON a.class = d.classid AND a.oid = d.objid
    JOIN named b ON b.class = d.refclassid AND b.oid = d.refobjid
WHERE a.root <> b.root AND NOT EXISTS (
    SELECT 1 FROM pg_depend e WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')";

/// Counts of this session that were not reported yet stand in there too, so only differences tell.
const ROWS: &str = "
SELECT relid::bigint AS key, relname AS name, schemaname = $1 AS at_home,
    n_tup_ins, n_tup_upd, n_tup_del
FROM pg_stat_xact_user_tables WHERE schemaname NOT LIKE 'pg\\_%'";

/// Makes a commit that is not ours fail: the trigger fires when the transaction is about to be committed.
///
/// After a rollback that is not ours, and after such a commit, everything runs outside of any transaction; the session is
/// read-only then, because only the transaction that the fence stands in was begun to write.
const GUARD: &str = "
CREATE FUNCTION pg_temp.rivetgun_guard() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
    IF current_setting('rivetgun.may_commit', true) IS DISTINCT FROM 'yes' THEN
        RAISE EXCEPTION 'a migration may not end its transaction' USING ERRCODE = 'RG207';
    END IF;
    RETURN NULL;
END
$guard$;
CREATE TEMPORARY TABLE rivetgun_guard (id integer) ON COMMIT DROP;
CREATE CONSTRAINT TRIGGER rivetgun_guard AFTER INSERT ON pg_temp.rivetgun_guard
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.rivetgun_guard();
ALTER TABLE pg_temp.rivetgun_guard ENABLE ALWAYS TRIGGER rivetgun_guard;
INSERT INTO pg_temp.rivetgun_guard VALUES (1)";

pub(super) async fn raise(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    tx.execute_unprepared(GUARD).await.map(drop)
}

/// Whether an error tells that the transaction of the fence is over: the guard refused a commit, or a statement wanted to
/// write after it, when the session is read-only.
pub(super) fn tells_of_end(error: &DbErr) -> bool {
    code_of(error).is_some_and(|code| code == "RG207" || code == "25006")
}

pub(super) async fn lower(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    tx.execute_unprepared("SET LOCAL rivetgun.may_commit = 'yes'").await.map(drop)
}

/// Names the transaction: another one, or none, has another.
pub(super) async fn transaction(tx: &DatabaseTransaction) -> Result<String, DbErr> {
    let row = query(tx, "SELECT coalesce(pg_current_xact_id_if_assigned()::text, '') AS id").await?;
    row.first().map_or(Ok(String::new()), |row| row.try_get("", "id"))
}

/// The schema in which the tables of this server are.
pub(super) async fn home(tx: &DatabaseTransaction) -> Result<String, DbErr> {
    let row = query(tx, "SELECT coalesce(current_schema()::text, '') AS home").await?;
    row.first().map_or(Ok(String::new()), |row| row.try_get("", "home"))
}

pub(super) async fn catalogue(tx: &DatabaseTransaction, home: &str) -> Result<Catalogue, DbErr> {
    let at_home = |sql: String| Statement::from_sql_and_values(DbBackend::Postgres, sql, [home.into()]);
    let mut catalogue = Catalogue::default();
    for row in tx.query_all_raw(at_home(format!("{PLACES}{OBJECTS}"))).await? {
        let object = Object {
            kind: row.try_get("", "kind")?,
            table: row.try_get("", "root")?,
            name: row.try_get("", "name")?,
            digest: row.try_get("", "digest")?,
            can_be_owned: row.try_get("", "at_home")?,
        };
        catalogue.objects.insert(row.try_get("", "key")?, object);
    }
    for row in query(tx, &shared()).await? {
        let name: String = row.try_get("", "name")?;
        let object = Object {
            kind: row.try_get("", "kind")?,
            table: name.clone(),
            name,
            digest: row.try_get("", "digest")?,
            can_be_owned: false,
        };
        catalogue.objects.insert(row.try_get("", "key")?, object);
    }
    for row in query(tx, &format!("{PLACES}{REFERENCES}")).await? {
        catalogue.references.insert(Reference {
            kind: row.try_get("", "kind")?,
            table: row.try_get("", "root")?,
            name: row.try_get("", "name")?,
            to_kind: row.try_get("", "to_kind")?,
            to: row.try_get("", "to_root")?,
        });
    }
    for row in tx.query_all_raw(at_home(ROWS.to_owned())).await? {
        let key: i64 = row.try_get("", "key")?;
        let count = RowCount {
            table: row.try_get("", "name")?,
            at_home: row.try_get("", "at_home")?,
            inserted: row.try_get("", "n_tup_ins")?,
            updated: row.try_get("", "n_tup_upd")?,
            deleted: row.try_get("", "n_tup_del")?,
        };
        catalogue.rows.insert(key, count);
    }
    Ok(catalogue)
}

fn shared() -> String {
    let part = |(catalogue, kind): &(&str, &str)| {
        // The one class of objects whose catalogue is not called like it.
        let class = if *catalogue == "pg_largeobject_metadata" { "pg_largeobject" } else { catalogue };
        format!(
            "SELECT '{catalogue}' || t.oid::text AS key, '{kind}' AS kind,
                coalesce((pg_identify_object('{class}'::regclass, t.oid, 0)).identity, '') AS name,
                encode(sha256(convert_to(t::text, 'UTF8')), 'hex') AS digest
            FROM {catalogue} t WHERE NOT EXISTS (SELECT 1 FROM pg_depend d
                WHERE d.classid = '{catalogue}'::regclass AND d.objid = t.oid AND d.deptype = 'e')
            AND (t.oid >= 16384 OR '{catalogue}' IN ('pg_namespace', 'pg_extension'))
            AND NOT ('{catalogue}' = 'pg_namespace' AND (to_jsonb(t) ->> 'nspname') LIKE 'pg\\_%')"
        )
    };
    let parts: Vec<String> = SHARED.iter().map(part).chain([SETTINGS.to_owned()]).collect();
    parts.join(" UNION ALL ")
}

/// How many rows wait in the buffer table for an extension.
pub(super) async fn buffered(tx: &DatabaseTransaction, extension: &str) -> Result<i64, DbErr> {
    if query(tx, &format!("SELECT 1 AS one WHERE to_regclass('{BUFFER}') IS NOT NULL")).await?.is_empty() {
        return Ok(0);
    }
    let sql = format!("SELECT count(*) AS count FROM {BUFFER} WHERE extension_name = $1");
    let row = tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [extension.into()])).await?;
    row.map_or(Ok(0), |row| row.try_get("", "count"))
}

async fn query(tx: &DatabaseTransaction, sql: &str) -> Result<Vec<QueryResult>, DbErr> {
    tx.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await
}
