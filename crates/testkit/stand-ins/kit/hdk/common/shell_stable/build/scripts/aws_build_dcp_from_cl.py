#!/usr/bin/env python3
"""A stand-in for AWS' script that builds a checkpoint: takes its options, looks at the design, and leaves the
files that the real one leaves. A design that says `stand-in: slow` misses its clock, one that says `stand-in: too
large` does not fit."""

import argparse
import io
import os
import sys
import tarfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("-c", "--cl", required=True)
parser.add_argument("--aws_clk_gen", action="store_true")
for name in ("--place", "--phy_opt", "--route", "--clock_recipe_a", "--mode", "--flow"):
    parser.add_argument(name)
given = parser.parse_args()

folder = os.environ.get("CL_DIR") or sys.exit("ERROR: CL_DIR is not set")
sources = [os.path.join(folder, "design", given.cl + end) for end in (".sv", ".v")]
sources = [path for path in sources if os.path.isfile(path)]
if not sources:
    sys.exit(f"ERROR: [Common 17-55] no design/{given.cl}.sv in {folder}")
text = open(sources[0], encoding="utf-8", errors="replace").read()
if "endmodule" not in text:
    sys.exit(f"ERROR: [Synth 8-2716] syntax error near end of file [{sources[0]}:1]")
if "stand-in: too large" in text:
    sys.exit("ERROR: [DRC UTLZ-1] Resource utilization: URAM over-utilized in Top Level Design")
stamp = time.strftime("%Y_%m_%d-%H%M%S")
violated = ".VIOLATED" if "stand-in: slow" in text else ""
name = f"{stamp}.SH_CL_routed{violated}.dcp"
checkpoints = os.path.join(folder, "build", "checkpoints")
os.makedirs(checkpoints, exist_ok=True)
with open(os.path.join(checkpoints, name), "w", encoding="utf-8") as checkpoint:
    checkpoint.write(text)
with tarfile.open(os.path.join(checkpoints, f"{stamp}.Developer_CL{violated}.tar"), "w") as tar:
    for path, content in ((f"to_aws/{name}", text), (f"to_aws/{stamp}.manifest.txt", "manifest_format_version=2\n")):
        info = tarfile.TarInfo(path)
        info.size = len(content.encode())
        tar.addfile(info, io.BytesIO(content.encode()))
print("AWS FPGA: build finished (a stand-in, no real tool)")
