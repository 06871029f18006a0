#include "agent/shim/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/crc32.h"

namespace stoa::shim {
namespace {

constexpr std::uint32_t kMagic = 0x53484d31; // "SHM1"
constexpr char kNewName[] = "shim.log.new";
constexpr size_t kRewriteFrom = 1024; // records; below, a file is small enough (1.5 MiB)

std::uint32_t checksumOf(const Record& record) {
    constexpr size_t kFrom = offsetof(Record, checksum) + sizeof record.checksum;
    Crc32 crc;
    crc.add(reinterpret_cast<const unsigned char*>(&record) + kFrom, sizeof record - kFrom);
    return crc.value();
}

bool writeAll(int fd, const void* data, size_t size) {
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= static_cast<size_t>(n);
    }
    return true;
}

bool terminated(const char* text, size_t size) { return memchr(text, '\0', size) != nullptr; }

bool valid(const Record& r) {
    return r.magic == kMagic && r.checksum == checksumOf(r) && terminated(r.id, sizeof r.id) &&
           terminated(r.boot_id, sizeof r.boot_id) && terminated(r.reason, sizeof r.reason) &&
           terminated(r.sandbox, sizeof r.sandbox) && terminated(r.cgroup, sizeof r.cgroup);
}

} // namespace

bool Journal::open(int directory, void (*onRecord)(const Record&, void*), void* context) {
    directory_ = directory;
    fd_ = openat(directory, kJournalName, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) return false;
    for (;;) {
        Record record;
        size_t have = 0;
        while (have < sizeof record) {
            const ssize_t n = read(fd_, reinterpret_cast<char*>(&record) + have, sizeof record - have);
            if (n < 0 && errno != EINTR) return false;
            if (n == 0) break;
            if (n > 0) have += static_cast<size_t>(n);
        }
        if (have == 0) break;
        if (have < sizeof record || !valid(record)) {
            ++damaged_;
        } else {
            ++records_;
            onRecord(record, context);
        }
    }
    if (damaged_ == 0) return true;
    broken_ = true; // the next sync has to go to a new file
    return keepAside();
}

bool Journal::keepAside() {
    for (int i = 1; i < 1000; ++i) {
        char name[48];
        snprintf(name, sizeof name, "%s.damaged.%d", kJournalName, i);
        if (linkat(directory_, kJournalName, directory_, name, 0) == 0) return true;
        if (errno != EEXIST) return false;
    }
    return false;
}

bool Journal::append(const Record& record) {
    if (buffered_ == capacity_) {
        const size_t larger = capacity_ ? 2 * capacity_ : 16;
        auto* moved = static_cast<Record*>(realloc(buffer_, larger * sizeof(Record)));
        if (!moved) return false;
        buffer_ = moved;
        capacity_ = larger;
    }
    Record& copy = buffer_[buffered_++];
    copy = record;
    copy.magic = kMagic;
    copy.checksum = checksumOf(copy);
    return true;
}

bool Journal::writeBuffered(int fd) {
    const size_t count = buffered_;
    buffered_ = 0;
    if (!writeAll(fd, buffer_, count * sizeof(Record)) || fdatasync(fd) != 0) return false;
    records_ += count;
    return true;
}

bool Journal::sync() {
    if (broken_) {
        buffered_ = 0;
        errno = EIO;
        return false;
    }
    if (buffered_ == 0 || writeBuffered(fd_)) return true;
    broken_ = true;
    return false;
}

bool Journal::shouldRewrite(size_t live) const { return broken_ || (records_ > kRewriteFrom && records_ / 4 > live); }

bool Journal::finishRewrite() {
    broken_ = true;
    unlinkat(directory_, kNewName, 0);
    const int fd = openat(directory_, kNewName, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    records_ = 0;
    if (!writeBuffered(fd) || renameat(directory_, kNewName, directory_, kJournalName) != 0 || fsync(directory_) != 0) {
        const int why = errno;
        close(fd);
        errno = why;
        return false;
    }
    close(fd_);
    fd_ = fd;
    broken_ = false;
    return true;
}

} // namespace stoa::shim
