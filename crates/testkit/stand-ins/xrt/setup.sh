# A stand-in for XRT's set-up script.
export XILINX_XRT=$PWD
