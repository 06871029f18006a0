// A server on a free port of the loopback, and raw sockets that speak to it as badly as a test wants. For tests.
#pragma once

#include "protocol/http/client.h"
#include "protocol/http/server.h"
#include "protocol/strings.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace stoa::http {

inline std::unique_ptr<Server> serve(Router router, ServerOptions options = {}) {
    auto server = Server::start(std::move(options), std::move(router));
    EXPECT_TRUE(server.ok()) << server.status();
    return std::move(server).value();
}

inline std::string urlOf(const Server& server, std::string_view target) {
    return concat("http://127.0.0.1:", server.port(), target);
}

class RawClient {
public:
    explicit RawClient(const Server& server) : RawClient(server.port()) {}
    explicit RawClient(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }

    bool connected() const { return connected_; }
    int fd() const { return fd_.get(); }
    bool say(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // What comes until `end` was seen, the other side closes, or ten seconds without anything have passed.
    std::string hear(std::string_view end = {}) const {
        std::string got;
        char piece[65536];
        while (end.empty() || got.find(end) == std::string::npos) {
            pollfd ready{fd_.get(), POLLIN, 0};
            if (poll(&ready, 1, 10'000) <= 0) return got + "<silence>";
            const ssize_t count = recv(fd_.get(), piece, sizeof piece, 0);
            if (count <= 0) return got;
            got.append(piece, static_cast<std::size_t>(count));
        }
        return got;
    }
    void leave() { fd_.reset(); }

private:
    UniqueFd fd_;
    bool connected_ = false;
};

// Something that another thread hands over once.
template <class T>
class Promised {
public:
    void give(T value) {
        const std::lock_guard lock(mutex_);
        value_ = std::move(value);
        given_.notify_all();
    }
    std::optional<T> take() {
        std::unique_lock lock(mutex_);
        given_.wait_for(lock, std::chrono::seconds(10), [&] { return value_.has_value(); });
        return std::move(value_);
    }

private:
    std::mutex mutex_;
    std::condition_variable given_;
    std::optional<T> value_;
};

class HttpDirectory : public testing::Test {
public:
    HttpDirectory() {
        std::string pattern = testing::TempDir() + "/stoa-http-XXXXXX";
        root_ = mkdtemp(pattern.data());
    }
    ~HttpDirectory() override { std::filesystem::remove_all(root_); }

protected:
    void write(const std::string& name, const std::string& content) const {
        std::filesystem::create_directories((root_ / name).parent_path());
        std::ofstream(root_ / name, std::ios::binary) << content;
    }
    std::string read(const std::string& name) const {
        std::ifstream in(root_ / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::filesystem::path root_;
};

} // namespace stoa::http
