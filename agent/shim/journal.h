// The shim's memory on disk: an append-only file of records of one size, each the whole of what is
// known of one task, so that the last one of an id is the truth. A record carries a checksum. A torn
// last record (the machine stopped while it was written) or a damaged one is skipped and counted,
// and the file is kept aside as `shim.log.damaged.N`, never repaired in place.
//
// The writer appends any number of records and then syncs them with one fdatasync. After a failed
// write or sync the kernel may have dropped the pages while it calls them clean, so the next success
// has to be a rewrite: rewrite() makes a new file of what is still wanted, syncs it and puts it in
// place. The same call keeps the file small.
//
// Owned by the shim's server and used from its one thread.

#pragma once

#include <cstddef>
#include <cstdint>

#include "agent/shim/shim_protocol.h"

namespace stoa::shim {

struct Record {
    std::uint32_t magic;
    std::uint32_t checksum; // CRC-32 of all that follows
    TaskState state;
    TaskMode mode;
    std::int32_t pid;
    std::int32_t wait_status;
    std::uint32_t status_known;
    std::uint32_t reserved;
    std::uint64_t start_time;
    std::int64_t cpu_nanos;
    std::int64_t max_memory_bytes;
    std::int64_t output_cap_bytes;
    char boot_id[kBootIdSize];
    char id[kIdSize];
    char reason[kReasonSize];
    char sandbox[kSandboxSize];
    char cgroup[kCgroupSize];
};

class Journal {
public:
    // Reads what is there, record by record, in order. False: errno says why.
    bool open(int directory, void (*onRecord)(const Record&, void*), void* context);

    std::uint32_t damagedRecords() const { return damaged_; }

    // Takes a copy and fills in magic and checksum.
    bool append(const Record& record);

    // Writes and syncs what was appended. False: nothing of it counts, and only rewrite() helps.
    bool sync();

    // True when most of the file is superseded by later records of `live` tasks.
    bool shouldRewrite(size_t live) const;

    // Starts the new file; then append() for each task; then finishRewrite() syncs and replaces.
    void startRewrite() { buffered_ = 0; }
    bool finishRewrite();

private:
    bool writeBuffered(int fd);
    bool keepAside();

    int directory_ = -1;
    int fd_ = -1;
    bool broken_ = false;
    std::uint32_t damaged_ = 0;
    size_t records_ = 0; // in the file
    Record* buffer_ = nullptr;
    size_t buffered_ = 0;
    size_t capacity_ = 0;
};

} // namespace stoa::shim
