#include "tests/sim/office.h"

#include "master/registry/rows.h"
#include "protocol/leader/candidates.h"

#include <absl/strings/str_cat.h>

#include <iterator>
#include <memory>
#include <utility>

namespace stoa::sim {

namespace {

namespace in = master::election_in;
namespace out = master::election_out;
using Op = ZooKeeperModel::Op;

constexpr char kRegistry[] = "registry/";
constexpr std::size_t kMostOps = 2; // of a multi: few, so that a batch is often several

} // namespace

Office::News Office::turn(Time now) {
    now_ = now;
    // A pause of the process may have cost the office: looked at before anything that came meanwhile.
    feed(in::Wake{});
    for (std::function<void()>& action : std::exchange(inbox_, {})) action();
    carryOut();
    return std::exchange(news_, {});
}

// What ZooKeeper says is looked at in the next turn, and only if its session is still this one.
void Office::later(std::function<void()> action) {
    inbox_.push_back([this, client = client_, action = std::move(action)] {
        if (client == client_) action();
    });
    poke_();
}

void Office::carryOut() {
    while (!actions_.empty()) {
        for (const master::ElectionAction& action : std::exchange(actions_, {})) {
            std::visit([this](const auto& one) { carryOut(one); }, action);
        }
    }
}

void Office::carryOut(const out::OpenSession&) {
    client_ = zookeeper_.open(node_, {[this](ZooKeeperModel::Session session) {
                                          later([this, session] {
                                              connected_ = session == ZooKeeperModel::Session::kConnected;
                                              if (connected_) {
                                                  feed(in::Connected{ZooKeeperModel::kSessionTimeout});
                                                  writeMore();
                                              } else if (session == ZooKeeperModel::Session::kSuspended) {
                                                  feed(in::Suspended{});
                                              } else {
                                                  feed(in::Expired{"it has expired"});
                                              }
                                          });
                                      },
                                      [this] { later([this] { feed(in::Changed{}); }); }});
}

void Office::carryOut(const out::CloseSession&) {
    if (client_ != 0) zookeeper_.close(std::exchange(client_, 0));
    connected_ = false;
}

void Office::carryOut(const out::Join&) {
    zookeeper_.createEphemeral(client_, std::string(kCandidatePrefix), absl::StrCat(node_),
                               [this](absl::StatusOr<std::string> name) {
                                   later([this, name = std::move(name)] {
                                       if (name.ok()) {
                                           feed(in::Joined{*name});
                                       } else {
                                           feed(in::JoinFailed{std::string(name.status().message())});
                                       }
                                   });
                               });
}

void Office::carryOut(const out::List&) {
    zookeeper_.children(client_, std::string(kCandidatePrefix), true,
                        [this](absl::StatusOr<std::vector<std::string>> names) {
                            later([this, names = std::move(names)] {
                                if (names.ok()) {
                                    feed(in::Listed{candidatesOf(*names)});
                                } else if (!absl::IsUnavailable(names.status())) {
                                    feed(in::ListFailed{std::string(names.status().message())});
                                }
                            });
                        });
}

void Office::carryOut(const out::TakeOffice& take) {
    const auto failed = [this](const absl::Status& why) {
        feed(in::OfficeFailed{absl::IsAborted(why), std::string(why.message())});
    };
    zookeeper_.get(client_, "epoch", [this, failed, node = take.node](absl::StatusOr<ZooKeeperModel::NodeData> stands) {
        later([this, failed, node, stands = std::move(stands)] {
            if (!stands.ok()) return failed(stands.status());
            const std::uint64_t epoch = static_cast<std::uint64_t>(stands->version) + 1;
            const auto taken = [epoch, me = node_, &checker = checker_] { checker.tookOffice(me, epoch); };
            zookeeper_.multi(client_,
                             {{Op::What::kSet, node, absl::StrCat(node_)},
                              {Op::What::kSet, "epoch", absl::StrCat(node_), stands->version}},
                             taken, [this, failed, epoch](const absl::Status& done) {
                                 later([this, failed, epoch, done] {
                                     if (!done.ok()) return failed(done);
                                     feed(in::OfficeTaken{epoch});
                                 });
                             });
        });
    });
}

void Office::carryOut(const out::Probe& probe) {
    zookeeper_.get(client_, "epoch",
                   [this, asked_at = probe.asked_at](absl::StatusOr<ZooKeeperModel::NodeData> stands) {
                       if (!stands.ok()) return;
                       later([this, asked_at, version = stands->version] {
                           feed(in::Heard{asked_at, static_cast<std::uint64_t>(version)});
                       });
                   });
}

void Office::carryOut(const out::Lead& lead) {
    writing_as_ = lead.epoch;
    readRegistry();
}

void Office::carryOut(const out::StepDown& step_down) {
    writing_as_ = 0;
    news_.lead.reset();
    news_.step_down = step_down.why;
}

// ---- The registry --------------------------------------------------------------------------------------------

void Office::fail(const absl::Status& why) {
    if (std::exchange(writing_as_, 0) != 0) feed(in::WriteFailed{std::string(why.message())});
}

void Office::readRegistry() {
    zookeeper_.children(client_, kRegistry, false, [this](absl::StatusOr<std::vector<std::string>> names) {
        later([this, names = std::move(names)] {
            if (!names.ok()) return fail(names.status());
            reading_ = names->size();
            if (reading_ == 0) finishReading();
            for (const std::string& path : *names) {
                zookeeper_.get(client_, path, [this, path](absl::StatusOr<ZooKeeperModel::NodeData> node) {
                    later([this, path, node = std::move(node)] {
                        if (!node.ok()) return fail(node.status());
                        const absl::Status loaded = shards_.load(path.substr(sizeof kRegistry - 1), node->data);
                        checker_.require(loaded.ok(), absl::StrCat("a shard does not load: ", loaded.message()));
                        if (--reading_ == 0) finishReading();
                    });
                });
            }
        });
    });
}

void Office::finishReading() {
    if (writing_as_ == 0) return;
    shards_.finish();
    absl::StatusOr<master::Recovered> recovered = master::recoveredFrom(shards_.rows(), "the simulator's");
    checker_.require(recovered.ok(), absl::StrCat("the registry does not read: ", recovered.status().message()));
    if (!recovered.ok()) return;
    epoch_ = writing_as_;
    news_.lead = *std::move(recovered);
}

void Office::append(std::vector<master::Record> records, RecordNumber number) {
    if (records.empty() || writing_as_ == 0) return;
    std::vector<Store::Change> changes;
    for (const master::Record& record : records) master::addChangesOf(record, changes);
    for (Store::Change& change : changes) {
        const absl::Status applied = shards_.apply(std::move(change));
        checker_.require(applied.ok(), absl::StrCat("a record is too large: ", applied.message()));
    }
    waiting_.insert(waiting_.end(), std::make_move_iterator(records.begin()), std::make_move_iterator(records.end()));
    appended_ = number;
    writeMore();
}

// All that has gathered goes out as one batch of multis; a batch after the other.
void Office::writeMore() {
    if (flying_ > 0 || !connected_ || writing_as_ == 0 || epoch_ == 0 || in_batch_ == appended_) return;
    in_batch_ = appended_;
    auto records = std::make_shared<std::vector<master::Record>>(std::exchange(waiting_, {}));
    std::vector<std::vector<Op>> multis;
    for (master::Shards::Write& one : shards_.takeWrites()) {
        if (multis.empty() || multis.back().size() > kMostOps) {
            multis.push_back({{Op::What::kCheck, "epoch", "", static_cast<std::int32_t>(writing_as_)}});
        }
        Op op;
        op.what = !one.bytes ? Op::What::kErase : one.create ? Op::What::kCreate : Op::What::kSet;
        op.path = kRegistry + one.name;
        if (one.bytes) op.data = *std::move(one.bytes);
        multis.back().push_back(std::move(op));
    }
    if (multis.empty()) { // the rows are what they were
        log_.insert(log_.end(), records->begin(), records->end());
        durable_ = in_batch_;
        return;
    }
    flying_ = multis.size();
    for (std::vector<Op>& ops : multis) {
        const bool last = &ops == &multis.back();
        const auto carried_out = [records, last, node = node_, as = writing_as_, &log = log_, &checker = checker_] {
            checker.wroteRegistry(node, as);
            if (last) log.insert(log.end(), records->begin(), records->end());
        };
        zookeeper_.multi(client_, std::move(ops), carried_out, [this](const absl::Status& done) {
            later([this, done] {
                --flying_;
                if (!done.ok()) return fail(done);
                if (flying_ > 0) return;
                durable_ = in_batch_;
                writeMore();
            });
        });
    }
}

} // namespace stoa::sim
