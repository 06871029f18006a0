// A daemon's durable state: a single SQLite file of checked rows, written by one thread with group commit. The
// master's registry, the agent's state and the batch framework's queue are each one of these, with their own kind and
// rows. It keeps the current state (a row a thing, overwritten and erased), not a log, so it does not grow.
//
//     absl::StatusOr<std::unique_ptr<Store>> store = Store::open({.path = path, .kind = "agent state", .version = 1});
//     for (Store::Row& row : (*store)->takeRows()) …           // what was there, in the order of first writing
//     (*store)->write({Store::put(kTasks, key, blob)}, n);     // n: your number of this write, ascending
//     poll((*store)->eventFd()), then durableUpTo() >= n: it is on the disk; or failure() is set: end the process.
//
// Each row carries a checksum, looked at when it is loaded along with SQLite's own check of the file. A damaged file is
// never repaired or replaced: open() refuses it, names it and leaves it where it is. A second process is refused too.
//
// Owned by one thread, which calls everything here; the writer thread is the store's own affair. Never throws.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stoa {

class Store {
public:
    // The owner's sorts of rows; a key is unique within its table.
    using Table = std::uint8_t;

    struct Row {
        Table table = 0;
        std::string key;
        std::string blob;
    };
    // Puts the row, or erases it when there is no blob. A row that is put again keeps its place in the order; one that
    // is erased and put goes to the end.
    struct Change {
        Table table = 0;
        std::string key;
        std::optional<std::string> blob;
    };
    static Change put(Table table, std::string key, std::string blob) {
        return {table, std::move(key), std::move(blob)};
    }
    static Change erase(Table table, std::string key) { return {table, std::move(key), std::nullopt}; }

    struct Options {
        std::string path;
        std::string kind;          // in a person's words, e.g. "master registry": a file of another kind is refused
        std::uint32_t version = 1; // of the rows' meaning: a file of a newer one is refused
        // How long open() waits for a process that still holds the file, e.g. the one that this one replaces.
        std::chrono::milliseconds lock_wait{1000};
    };

    // write() waits while this many bytes are queued: a slow disk slows its owner, and memory stays bounded.
    static constexpr std::size_t kMaxQueuedBytes = std::size_t{64} << 20;

    // Creates the file if there is none (its folder must exist). The errors are whole sentences for the person who
    // started the daemon: FailedPrecondition (in use, of another kind, newer), DataLoss (damaged), or Unavailable.
    static absl::StatusOr<std::unique_ptr<Store>> open(const Options& options);

    // Writes all that was queued, if the disk lets it.
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // The rows that open() found; the second call gives none.
    std::vector<Row> takeRows();
    // The version that the file had before open() raised it to the one asked for; equal for a new file.
    std::uint32_t foundVersion() const;

    enum class When : std::uint8_t {
        kNow,
        kLater, // nobody waits for it: with the next that is kNow, or after kLatest, to save a commit
    };
    static constexpr std::chrono::milliseconds kLatest{50};

    // Queues the changes as one unit: all of them become durable, or none. Numbers must not descend.
    void write(std::vector<Change> changes, std::uint64_t number, When when = When::kNow);
    // Blocks until all that was queued is durable, or says why it never will be. For start and stop.
    absl::Status flush();

    // The highest number given to write() such that it and all before it are on the disk.
    std::uint64_t durableUpTo() const;
    // Readable when durableUpTo() or failure() changed; drain() clears it.
    int eventFd() const;
    void drain();
    // Not OK: a write failed (disk full, I/O error). Nothing later is written; the owner must end its process, since
    // its memory already believes what the disk refused.
    absl::Status failure() const;

    // Commits so far, for metrics; each is one fdatasync.
    std::uint64_t commits() const;

private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace stoa
