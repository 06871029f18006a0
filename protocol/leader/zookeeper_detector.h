// The Detector that asks ZooKeeper. Private to this folder: others call makeDetector (detector.h). It watches the path's
// children and their data over a session of its own, and opens another whenever one expires, for as long as it lives.
// Owned by one thread, as any Detector.
#pragma once

#include "protocol/leader/detector.h"

#include <memory>

namespace stoa {

std::unique_ptr<Detector> makeZooKeeperDetector(ZooKeeperAddress address, const DetectorOptions& options);

} // namespace stoa
