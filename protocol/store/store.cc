#include "protocol/store/store.h"

#include "protocol/crc32.h"
#include "protocol/strings.h"
#include "protocol/unique_fd.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <sys/eventfd.h>

#include <cassert>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

namespace stoa {

namespace {

constexpr int kFormat = 1; // of the tables below, not of the rows' meaning

std::int64_t checksum(Store::Table table, std::string_view key, std::string_view blob) {
    Crc32 crc;
    const std::uint64_t key_size = key.size(); // so that bytes can't wander between key and blob
    crc.add(&table, sizeof table);
    crc.add(&key_size, sizeof key_size);
    crc.add(key.data(), key.size());
    crc.add(blob.data(), blob.size());
    return crc.value();
}

// SQLiteCpp's bind() of a string makes TEXT; ours are BLOBs, and an empty one must not become NULL.
void bindBlob(SQLite::Statement& statement, int index, const std::string& bytes) {
    statement.bind(index, static_cast<const void*>(bytes.data()), static_cast<int>(bytes.size()));
}

std::string blobOf(const SQLite::Column& column) {
    const auto* bytes = static_cast<const char*>(column.getBlob());
    return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(column.getBytes()));
}

} // namespace

struct Store::Impl {
    struct Batch {
        std::vector<Change> changes;
        std::uint64_t number = 0;
        std::size_t bytes = 0;
    };

    explicit Impl(const Options& opened) : options(opened) {}

    Options options;
    std::unique_ptr<SQLite::Database> database; // the writer's alone once it runs
    std::vector<Row> rows;
    std::uint32_t found_version = 0;
    UniqueFd event;

    mutable std::mutex mutex;
    std::condition_variable more;    // for the writer: something is queued, or the end
    std::condition_variable written; // for write() and flush(): something was written, or failed
    std::deque<Batch> queue;
    std::size_t queued_bytes = 0;
    bool hurry = false; // somebody waits for what is queued
    bool writing = false;
    bool stopping = false;
    std::uint64_t durable = 0;
    std::uint64_t commits = 0;
    absl::Status failed;
    std::thread writer;

    // ---- Opening, on the owner's thread

    absl::Status openFile();
    absl::Status checkHeader(bool is_new);
    absl::Status load();
    absl::Status damaged(std::string_view what) const {
        return absl::DataLossError(concat(options.kind, " ", options.path, " is damaged: ", what,
                                          ". It was left as it is; put a copy of it back, or move it away to start "
                                          "with nothing"));
    }
    absl::Status refusal(const SQLite::Exception& error, std::string_view doing) const;

    // ---- Writing, on the writer's thread

    void run();
    void commit(const std::vector<Batch>& batches);
    void signal() const {
        const std::uint64_t one = 1;
        // Only a full counter could refuse, and then the descriptor is readable as it should be.
        [[maybe_unused]] ssize_t n = ::write(event.get(), &one, sizeof one);
    }

    std::unique_ptr<SQLite::Statement> begin;
    std::unique_ptr<SQLite::Statement> end;
    std::unique_ptr<SQLite::Statement> put;
    std::unique_ptr<SQLite::Statement> erase;
};

// ---- Opening ---------------------------------------------------------------------------------------------------

absl::Status Store::Impl::refusal(const SQLite::Exception& error, std::string_view doing) const {
    switch (error.getErrorCode()) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return absl::FailedPreconditionError(
            concat(options.kind, " ", options.path, " is in use by another process: stop that one first"));
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT: return damaged(error.what());
    case SQLITE_CANTOPEN:
        return absl::UnavailableError(concat(options.kind, " ", options.path,
                                             " can't be opened: is its folder there, and may it be written to?"));
    case SQLITE_READONLY:
        return absl::UnavailableError(concat(options.kind, " ", options.path,
                                             " can't be written to: it, or the file "
                                             "system it is on, is read-only"));
    case SQLITE_FULL: return absl::UnavailableError(concat(options.kind, " ", options.path, ": the disk is full"));
    default: return absl::UnavailableError(concat(options.kind, " ", options.path, ": ", doing, ": ", error.what()));
    }
}

absl::Status Store::Impl::openFile() {
    const bool is_new = !std::filesystem::exists(options.path);
    try {
        database = std::make_unique<SQLite::Database>(
            options.path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX,
            static_cast<int>(options.lock_wait.count()));
        // One thread at a time has it, so it needs no mutex. The first write takes the lock for the life of the process.
        database->exec("PRAGMA locking_mode=EXCLUSIVE");
        database->exec("PRAGMA journal_mode=WAL");
        database->exec("PRAGMA synchronous=FULL");
        database->exec("BEGIN IMMEDIATE; COMMIT");
    } catch (const SQLite::Exception& error) {
        return refusal(error, "opening it");
    }
    try {
        if (absl::Status header = checkHeader(is_new); !header.ok()) return header;
        return load();
    } catch (const SQLite::Exception& error) {
        return refusal(error, "reading it");
    }
}

absl::Status Store::Impl::checkHeader(bool is_new) {
    if (!is_new) {
        // Not the quick one, which passes over an index that lacks rows: a change would then become a second row.
        SQLite::Statement check(*database, "PRAGMA integrity_check(1)");
        if (!check.executeStep() || check.getColumn(0).getString() != "ok") {
            return damaged(check.getColumn(0).getString());
        }
    }
    if (!database->tableExists("store")) {
        SQLite::Statement tables(*database, "SELECT count(*) FROM sqlite_master");
        if (tables.executeStep() && tables.getColumn(0).getInt() > 0) {
            return absl::FailedPreconditionError(
                concat(options.path, " is not a ", options.kind, ": it holds other tables"));
        }
        SQLite::Transaction transaction(*database);
        database->exec("CREATE TABLE store (format INTEGER NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL)");
        database->exec("CREATE TABLE rows (place INTEGER PRIMARY KEY, kind INTEGER NOT NULL, "
                       "key BLOB NOT NULL, blob BLOB NOT NULL, checksum INTEGER NOT NULL, UNIQUE (kind, key))");
        SQLite::Statement insert(*database, "INSERT INTO store VALUES (?, ?, ?)");
        insert.bind(1, kFormat);
        insert.bind(2, options.kind);
        insert.bind(3, options.version);
        insert.exec();
        transaction.commit();
        found_version = options.version;
        return absl::OkStatus();
    }

    std::int64_t format = 0, version = 0;
    {
        SQLite::Statement header(*database, "SELECT format, kind, version FROM store");
        if (!header.executeStep()) return damaged("its header is missing");
        format = header.getColumn(0).getInt64();
        const std::string kind = header.getColumn(1).getString();
        version = header.getColumn(2).getInt64();
        if (kind != options.kind) {
            return absl::FailedPreconditionError(concat(options.path, " is not a ", options.kind, " but a ", kind));
        }
    }
    if (format > kFormat || version > options.version) {
        return absl::FailedPreconditionError(concat(options.kind, " ", options.path,
                                                    " was written by a newer Stoa (version ", version,
                                                    "; this one "
                                                    "knows ",
                                                    options.version, "): start that one instead"));
    }
    if (version < 1) return damaged("its version is out of range");
    found_version = static_cast<std::uint32_t>(version);
    if (found_version < options.version) {
        SQLite::Statement update(*database, "UPDATE store SET version = ?");
        update.bind(1, options.version);
        update.exec();
    }
    return absl::OkStatus();
}

absl::Status Store::Impl::load() {
    SQLite::Statement select(*database, "SELECT kind, key, blob, checksum FROM rows ORDER BY place");
    while (select.executeStep()) {
        const std::int64_t table = select.getColumn(0).getInt64();
        Row row{static_cast<Table>(table), blobOf(select.getColumn(1)), blobOf(select.getColumn(2))};
        if (table != row.table || select.getColumn(3).getInt64() != checksum(row.table, row.key, row.blob)) {
            return damaged(concat("row ", rows.size() + 1, " (table ", table, ") fails its checksum"));
        }
        rows.push_back(std::move(row));
    }
    return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Store>> Store::open(const Options& options) {
    auto impl = std::make_unique<Impl>(options);
    impl->event = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!impl->event) {
        return absl::UnavailableError(concat(options.kind, ": no event counter: ", std::strerror(errno)));
    }
    if (absl::Status opened = impl->openFile(); !opened.ok()) return opened;
    return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
    impl_->writer = std::thread([this] {
        pthread_setname_np(pthread_self(), "store");
        impl_->run();
    });
}

Store::~Store() {
    {
        std::lock_guard lock(impl_->mutex);
        impl_->stopping = true;
    }
    impl_->more.notify_all();
    impl_->writer.join();
}

// ---- The owner's side ------------------------------------------------------------------------------------------

std::vector<Store::Row> Store::takeRows() { return std::exchange(impl_->rows, {}); }
std::uint32_t Store::foundVersion() const { return impl_->found_version; }

void Store::write(std::vector<Change> changes, std::uint64_t number, When when) {
    std::size_t bytes = 0;
    for (const Change& change : changes) {
        bytes += sizeof change + change.key.size() + (change.blob ? change.blob->size() : 0);
    }
    std::unique_lock lock(impl_->mutex);
    impl_->written.wait(lock, [&] { return impl_->queued_bytes < kMaxQueuedBytes || !impl_->failed.ok(); });
    if (!impl_->failed.ok()) return;
    assert(impl_->queue.empty() || impl_->queue.back().number <= number);
    const bool news = impl_->queue.empty() || (when == When::kNow && !impl_->hurry);
    impl_->queue.push_back({std::move(changes), number, bytes});
    impl_->queued_bytes += bytes;
    impl_->hurry |= when == When::kNow;
    lock.unlock();
    if (news) impl_->more.notify_one();
}

absl::Status Store::flush() {
    std::unique_lock lock(impl_->mutex);
    impl_->hurry = !impl_->queue.empty();
    impl_->more.notify_one();
    impl_->written.wait(lock, [&] { return (impl_->queue.empty() && !impl_->writing) || !impl_->failed.ok(); });
    return impl_->failed;
}

std::uint64_t Store::durableUpTo() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->durable;
}

int Store::eventFd() const { return impl_->event.get(); }

void Store::drain() {
    std::uint64_t count = 0;
    [[maybe_unused]] ssize_t n = ::read(impl_->event.get(), &count, sizeof count);
}

absl::Status Store::failure() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->failed;
}

std::uint64_t Store::commits() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->commits;
}

// ---- The writer's side -----------------------------------------------------------------------------------------

void Store::Impl::run() {
    std::unique_lock lock(mutex);
    for (;;) {
        more.wait(lock, [&] { return stopping || !queue.empty(); });
        if (queue.empty()) return;
        more.wait_for(lock, kLatest, [&] { return stopping || hurry; });
        hurry = false;
        // All that came while the last commit was on its way goes into one.
        std::vector<Batch> batches(std::make_move_iterator(queue.begin()), std::make_move_iterator(queue.end()));
        queue.clear();
        queued_bytes = 0;
        writing = true;
        lock.unlock();
        absl::Status outcome;
        try {
            commit(batches);
        } catch (const SQLite::Exception& error) {
            outcome = refusal(error, "writing to it");
        } catch (const std::exception& error) {
            outcome = absl::UnavailableError(concat(options.kind, " ", options.path, ": ", error.what()));
        }
        lock.lock();
        writing = false;
        if (outcome.ok()) {
            durable = batches.back().number;
            ++commits;
        } else {
            failed = outcome;
            queue.clear();
        }
        written.notify_all();
        signal();
        if (!failed.ok()) return;
    }
}

void Store::Impl::commit(const std::vector<Batch>& batches) {
    if (put == nullptr) {
        begin = std::make_unique<SQLite::Statement>(*database, "BEGIN");
        end = std::make_unique<SQLite::Statement>(*database, "COMMIT");
        put = std::make_unique<SQLite::Statement>(
            *database, "INSERT INTO rows (kind, key, blob, checksum) VALUES (?, ?, ?, ?) ON CONFLICT (kind, key) "
                       "DO UPDATE SET blob = excluded.blob, checksum = excluded.checksum");
        erase = std::make_unique<SQLite::Statement>(*database, "DELETE FROM rows WHERE kind = ? AND key = ?");
    }
    // What fails is not rolled back: nothing is written after it, and the file's next reader knows what was committed.
    begin->exec();
    begin->reset();
    for (const Batch& batch : batches) {
        for (const Change& change : batch.changes) {
            SQLite::Statement& statement = change.blob ? *put : *erase;
            statement.reset();
            statement.bind(1, static_cast<int>(change.table));
            bindBlob(statement, 2, change.key);
            if (change.blob) {
                bindBlob(statement, 3, *change.blob);
                statement.bind(4, checksum(change.table, change.key, *change.blob));
            }
            statement.exec();
        }
    }
    put->reset();
    erase->reset();
    end->exec();
    end->reset();
}

} // namespace stoa
