"""What a bundle carries besides the model: run.py, run.cpp and CMakeLists.txt, which know nothing of Lathe."""
