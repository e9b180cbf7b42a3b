#include "transport/dpdk/pci_device.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace phalanx::transport::dpdk {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPort = "0000:3b:00.0";

/// A tree like /sys, /dev and /proc, as far as a PCI device goes.
class PciDevices : public testing::Test {
 protected:
  PciDevices() {
    std::string made = (fs::temp_directory_path() / "phalanx-pci-XXXXXX").string();
    EXPECT_NE(mkdtemp(made.data()), nullptr);
    root_ = made;
  }
  ~PciDevices() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << "\n";
  }
  void link(const std::string& path, const std::string& target) const {
    fs::create_directories((root_ / path).parent_path());
    fs::create_symlink(target, root_ / path);
  }

  /// An Ethernet device, with a driver and in a group of the IOMMU unless these are empty.
  void add(const std::string& address, const std::string& driver, const std::string& group,
           const std::string& device_class = "0x020000") const {
    const std::string device = "sys/bus/pci/devices/" + address;
    write(device + "/vendor", "0x8086");
    write(device + "/device", "0x10d3");
    write(device + "/class", device_class);
    if (!driver.empty()) link(device + "/driver", "../../drivers/" + driver);
    if (group.empty()) return;
    const std::string folder = "sys/kernel/iommu_groups/" + group;
    link(folder + "/devices/" + address, "../../../../bus/pci/devices/" + address);
    link(device + "/iommu_group", "../../../../kernel/iommu_groups/" + group);
  }
  void add_file_of_group(const std::string& group) const { write("dev/vfio/" + group, ""); }

  void expect_refused(const std::string& port, std::initializer_list<std::string> words,
                      ExitCode code = ExitCode::Usage) const {
    const auto checked = check_pci_device(port, "transport.port", root_);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, code);
    EXPECT_FALSE(checked.error().remedy.empty());
    for (const std::string& word : words) {
      EXPECT_NE(checked.error().text().find(word), std::string::npos) << word << " is not in\n"
                                                                      << checked.error().text();
    }
  }

  fs::path root_;
};

TEST_F(PciDevices, BoundToVfioInAGroupOfTheirOwnCanBeHad) {
  add(kPort, "vfio-pci", "7");
  add_file_of_group("7");

  EXPECT_TRUE(check_pci_device(kPort, "transport.port", root_));
  EXPECT_TRUE(check_pci_device("3b:00.0,rx_vec_en=1", "transport.port", root_))
      << "the domain may be left out";
}

TEST_F(PciDevices, AreReadAsTheKernelTellsThem) {
  add(kPort, "vfio-pci", "7");

  const auto device = read_pci_device("3b:00.0", root_);

  ASSERT_TRUE(device);
  EXPECT_EQ(device->address, kPort);
  EXPECT_EQ(device->name, "8086:10d3");
  EXPECT_EQ(device->driver, "vfio-pci");
  EXPECT_EQ(device->group, "7");
}

TEST_F(PciDevices, AreNamedWithTheirDomain) {
  EXPECT_EQ(with_domain("3b:00.0"), kPort);
  EXPECT_EQ(with_domain("3b:00.0,rx_vec_en=1"), "0000:3b:00.0,rx_vec_en=1");
  EXPECT_EQ(with_domain("0001:3b:00.0,rx_vec_en=1"), "0001:3b:00.0,rx_vec_en=1");
}

TEST_F(PciDevices, ThatAreNotThereAreToldApartFromThoseOfNoNetwork) {
  add("0000:00:1f.2", "ahci", "3", "0x010601");

  expect_refused(kPort, {"there is no PCI device 0000:3b:00.0", "lspci"});
  expect_refused("0000:00:1f.2", {"no network device", "0x010601"});
}

TEST_F(PciDevices, HeldByAKernelDriverAreNotTaken) {
  add(kPort, "i40e", "7");

  expect_refused(kPort, {"the driver i40e", "dpdk-devbind.py -b vfio-pci 0000:3b:00.0"});
}

TEST_F(PciDevices, WithoutADriverAreNotTaken) {
  add(kPort, "", "7");

  expect_refused(kPort, {"no driver", "dpdk-devbind.py -b vfio-pci 0000:3b:00.0"});
}

TEST_F(PciDevices, WithoutAnIommuAreNotTakenWhateverTheirDriver) {
  add(kPort, "", "");
  add("0000:3b:00.1", "uio_pci_generic", "");
  add("0000:3b:00.2", "vfio-pci", "");

  expect_refused(kPort, {"no driver", "there is no IOMMU", "intel_iommu=on"});
  expect_refused("0000:3b:00.1", {"uio_pci_generic", "there is no IOMMU", "intel_iommu=on"});
  expect_refused("0000:3b:00.2", {"there is no IOMMU", "intel_iommu=on"});
}

TEST_F(PciDevices, ThatShareAGroupWithTheKernelsAreNotTaken) {
  add(kPort, "vfio-pci", "7");
  add("0000:3b:00.1", "i40e", "7");
  add("0000:3b:00.2", "vfio-pci", "7");
  add("0000:3a:01.0", "pcieport", "7", "0x060400");
  add_file_of_group("7");

  expect_refused(kPort, {"group 7", "0000:3b:00.1 (i40e)"});
  const auto device = read_pci_device(kPort, root_);
  ASSERT_TRUE(device);
  EXPECT_EQ(device->held_with_it.size(), 1U) << "a bridge is no obstacle";
}

TEST_F(PciDevices, WhoseDriverDpdkWorksThroughAreLeftToIt) {
  add(kPort, "mlx5_core", "");

  EXPECT_TRUE(check_pci_device(kPort, "transport.port", root_));
}

TEST_F(PciDevices, ThatAUserMayNotOpenNameTheFile) {
  add(kPort, "vfio-pci", "7");
  add_file_of_group("7");
  if (geteuid() == 0) GTEST_SKIP() << "root may open everything";
  fs::permissions(root_ / "dev/vfio/7", fs::perms::none);

  expect_refused(kPort, {"/dev/vfio/7", "chown"}, ExitCode::Permission);
}

TEST_F(PciDevices, WithoutTheFileOfTheirGroupSayWhichIsMissing) {
  add(kPort, "vfio-pci", "7");

  expect_refused(kPort, {"/dev/vfio/7", "ENOENT", "modprobe vfio-pci"});
}

TEST_F(PciDevices, ThatAreTakenNameTheProcess) {
  write("proc/812/comm", "phalanx-datapla");
  link("proc/812/fd/3", "/dev/null");
  link("proc/812/fd/9", "/dev/vfio/7");
  write("proc/815/comm", "bash");
  link("proc/815/fd/0", "/dev/vfio/70");
  write("proc/version", "6.1");

  EXPECT_EQ(holders_of("/dev/vfio/7", root_), "phalanx-datapla (pid 812)");
}

}  // namespace
}  // namespace phalanx::transport::dpdk
