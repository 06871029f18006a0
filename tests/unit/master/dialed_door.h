// A wire door over real sockets, and a peer that dialed it: what one sends, the other takes.
//
//     TEST_F(DialedDoor, …) { open(); dial(); dialer_->send(…); … next() … door_->say(…); take(); … heard_ … }
#pragma once

#include "master/doors/wire_door.h"
#include "protocol/wire/dialer.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stoa::master {

inline bool readable(int fd) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, 10'000) == 1;
}

class DialedDoor : public testing::Test {
protected:
    void open(const SharedCredentials& masters = nullptr) {
        AcceptorOptions accepting;
        accepting.port = 0;
        accepting.linger = std::chrono::seconds(0);
        accepting.credentials = masters;
        acceptor_ = *Acceptor::create(accepting);
        door_ = std::make_unique<WireDoor>(*acceptor_, masters);
    }
    void dial(SharedCredentials own = nullptr) {
        DialerOptions dialing;
        dialing.address = "127.0.0.1:" + std::to_string(acceptor_->boundPort());
        dialing.linger = std::chrono::seconds(0);
        dialing.credentials = std::move(own);
        dialer_ = *Dialer::create(dialing);
        while (!connected_ && !HasFatalFailure()) take();
    }
    // What the peer hears.
    void take() {
        ASSERT_TRUE(readable(dialer_->eventFd()));
        for (DialerArrival& arrived : dialer_->take()) {
            if (std::holds_alternative<dialed::Connected>(arrived)) connected_ = true;
            if (std::holds_alternative<dialed::Gone>(arrived)) gone_ = true;
            if (const auto* message = std::get_if<dialed::Message>(&arrived)) heard_.push_back(*message->body);
        }
    }
    void takeUntilGone() {
        while (!gone_ && !HasFatalFailure()) take();
    }
    // What the door makes of the next message: no input when it only closes the session.
    std::optional<Input> next() {
        while (readable(acceptor_->eventFd())) {
            std::optional<Input> first;
            bool heard = false;
            for (const Arrival& arrival : acceptor_->take()) {
                std::optional<Input> input = door_->read(arrival);
                heard = heard || input || std::holds_alternative<arrival::Message>(arrival);
                if (!first) first = std::move(input);
            }
            if (heard) return first;
        }
        ADD_FAILURE() << "nothing arrived";
        return std::nullopt;
    }

    std::unique_ptr<Acceptor> acceptor_;
    std::unique_ptr<WireDoor> door_;
    std::unique_ptr<Dialer> dialer_;
    std::vector<std::string> heard_;
    bool connected_ = false;
    bool gone_ = false;
};

} // namespace stoa::master
