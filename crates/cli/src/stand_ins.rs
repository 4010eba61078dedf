//! `polyphemus serve --stand-ins`: small programs in the place of the vendors' tools, so that every flow can be
//! seen on a laptop. What they make is marked as not real, in each result and on each page.

use crate::Failure;
use polyphemus_device::{Device, Family};
use polyphemus_server::config::Settings;
use polyphemus_worker::Config;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The same that the tests have: paths, and contents.
const FILES: [(&str, &str); 24] = [
    ("aws", include_str!("../../testkit/stand-ins/aws")),
    (
        "emconfigutil",
        include_str!("../../testkit/stand-ins/emconfigutil"),
    ),
    (
        "fpga-clear-local-image",
        include_str!("../../testkit/stand-ins/fpga-clear-local-image"),
    ),
    (
        "fpga-describe-local-image",
        include_str!("../../testkit/stand-ins/fpga-describe-local-image"),
    ),
    (
        "fpga-load-local-image",
        include_str!("../../testkit/stand-ins/fpga-load-local-image"),
    ),
    (
        "include/sds_lib.h",
        include_str!("../../testkit/stand-ins/include/sds_lib.h"),
    ),
    (
        "kit/SDAccel/tools/create_sdaccel_afi.sh",
        include_str!("../../testkit/stand-ins/kit/SDAccel/tools/create_sdaccel_afi.sh"),
    ),
    (
        "kit/hdk/common/shell_stable/build/scripts/aws_build_dcp_from_cl.py",
        include_str!(
            "../../testkit/stand-ins/kit/hdk/common/shell_stable/build/scripts/aws_build_dcp_from_cl.py"
        ),
    ),
    (
        "kit/hdk_setup.sh",
        include_str!("../../testkit/stand-ins/kit/hdk_setup.sh"),
    ),
    (
        "kit/sdaccel_setup.sh",
        include_str!("../../testkit/stand-ins/kit/sdaccel_setup.sh"),
    ),
    (
        "kit/sdk/userspace/include/fpga_mgmt.h",
        include_str!("../../testkit/stand-ins/kit/sdk/userspace/include/fpga_mgmt.h"),
    ),
    (
        "kit/sdk/userspace/lib/so/libfpga_mgmt.so",
        include_str!("../../testkit/stand-ins/kit/sdk/userspace/lib/so/libfpga_mgmt.so"),
    ),
    (
        "kit/sdk_setup.sh",
        include_str!("../../testkit/stand-ins/kit/sdk_setup.sh"),
    ),
    (
        "kit/xilinx_aws-vu9p-f1-stand-in_1.xpfm",
        include_str!("../../testkit/stand-ins/kit/xilinx_aws-vu9p-f1-stand-in_1.xpfm"),
    ),
    ("sds++", include_str!("../../testkit/stand-ins/sds++")),
    ("v++", include_str!("../../testkit/stand-ins/v++")),
    ("xcpp", include_str!("../../testkit/stand-ins/xcpp")),
    ("xocc", include_str!("../../testkit/stand-ins/xocc")),
    (
        "xrt/include/xrt/xrt_bo.h",
        include_str!("../../testkit/stand-ins/xrt/include/xrt/xrt_bo.h"),
    ),
    (
        "xrt/include/xrt/xrt_device.h",
        include_str!("../../testkit/stand-ins/xrt/include/xrt/xrt_device.h"),
    ),
    (
        "xrt/include/xrt/xrt_kernel.h",
        include_str!("../../testkit/stand-ins/xrt/include/xrt/xrt_kernel.h"),
    ),
    (
        "xrt/lib/libuuid.so",
        include_str!("../../testkit/stand-ins/xrt/lib/libuuid.so"),
    ),
    (
        "xrt/lib/libxrt_coreutil.so",
        include_str!("../../testkit/stand-ins/xrt/lib/libxrt_coreutil.so"),
    ),
    (
        "xrt/setup.sh",
        include_str!("../../testkit/stand-ins/xrt/setup.sh"),
    ),
];
/// Of the card that is said to be there.
const SHELL: &str = "xilinx_u250_gen3x16_xdma_4_1_202210_1";
/// In the place of a bucket; nothing is sent.
const BUCKET: &str = "stand-ins";
/// An image is ready soon.
const CHECK_INTERVAL_S: u64 = 5;

/// Lays the programs out in the instance, and has the flows use them.
pub fn lay_out(instance: &Path, settings: &mut Settings) -> Result<PathBuf, Failure> {
    let folder = instance.join("stand-ins");
    for (name, content) in FILES {
        let path = folder.join(name);
        write(&path, content).map_err(|error| {
            Failure::local(
                format!("the stand-in {} cannot be written", path.display()),
                error,
            )
        })?;
    }
    let values = &mut settings.values;
    values.s3_bucket = Some(BUCKET.to_owned());
    values.afi_check_interval_s = CHECK_INTERVAL_S;
    values.xrt_setup = folder.join("xrt/setup.sh").to_string_lossy().into_owned();
    values.site.stand_ins = true;
    Ok(folder)
}

/// Has a worker offer them, and say so.
pub fn offer(config: &mut Config, folder: &Path) {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
    config.path = Some(format!("{}:{path}", folder.display()));
    config.read_only.push(folder.to_owned());
    let named = [("AWS_FPGA_REPO_DIR", "kit"), ("XILINX_XRT", "xrt")];
    let named = named.map(|(name, inner)| (name.to_owned(), text(&folder.join(inner))));
    config.environment.extend(named);
    config.devices.push(Device {
        labels: vec![format!("fpga:{SHELL}")],
        ..Device::bare(Family::Xrt, "stand-in-card", SHELL)
    });
    config.stand_ins = true;
}

fn write(path: &Path, content: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, content)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stand_in_is_laid_out() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/stand-ins");
        let mut todo = vec![root.clone()];
        let mut found = Vec::new();
        while let Some(folder) = todo.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        assert_eq!(found, FILES.map(|(name, _)| name.to_owned()));
    }
}
